"""Which addresses of the internet a request that somebody else chose may reach: public ones and no other.

The lists follow IANA's registries of special-purpose addresses, with the metadata servers of clouds that sit
in public ranges. What is not known to be public is refused.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SPECIAL_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's machine agent, inside a public range
    )
)  # fmt: skip
GLOBAL_V6 = IPv6Network("2000::/3")
# Everything that carries an IPv4 address inside (6to4, Teredo) would lead around the list above.
SPECIAL_V6 = tuple(
    IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in SPECIAL_V4)
    return address in GLOBAL_V6 and not any(address in network for network in SPECIAL_V6)


def among(address: Address, networks: tuple[Network, ...]) -> bool:
    """Return whether an address lies in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def parsed(entries: tuple[str, ...]) -> tuple[tuple[Network, ...], frozenset[str]]:
    """Return the networks and the host names of a list like `10.1.0.0/16, receiver.example`."""
    networks, names = [], set()
    for entry in entries:
        try:
            networks.append(ip_network(entry.strip(), strict=False))
        except ValueError:
            names.add(entry.strip().rstrip(".").lower())
    return tuple(networks), frozenset(names - {""})


def literal(host: str) -> Address | None:
    """Return the address that `host` spells in its one usual way, or None."""
    try:
        return ip_address(host)
    except ValueError:
        return None
