"""Addresses of other databases on the same server."""

from urllib.parse import urlsplit


def in_database(url: str, name: str) -> str:
    """Return `url` with another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()
