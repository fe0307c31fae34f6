"""How messages that come in are signed: the published standard, the ways of well-known senders, and a plain HMAC.

A scheme says whether the message is genuine and fresh, and what makes it the same message when it comes again.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from apps.events.webhooks import signing

TOLERANCE = 300
LEAST_SECRET, MOST_SECRET = 16, 256
HEADER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
ENCODINGS = ("hex", "base64")
DIGESTS = ("sha256", "sha512")


class Refusal(Exception):
    """The message is not accepted; the text says why, for the log of the source and not for the sender."""


@dataclass(frozen=True)
class Genuine:
    """A message that is what it says; `message_id` is the sender's name for it, `same` what no other one shares."""

    message_id: str
    same: bytes


@dataclass(frozen=True)
class Given:
    """A message as it came: header names in lower case, the body's bytes, the time of now in seconds."""

    headers: Mapping[str, str]
    body: bytes
    now: float

    def header(self, name: str) -> str:
        """Return a header that must be there."""
        value = self.headers.get(name, "").strip()
        if not value:
            raise Refusal(f"The header {name} is missing.")
        return value

    def fresh(self, text: str) -> int:
        """Return a timestamp that lies within five minutes of now."""
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise Refusal("The timestamp is not a number of seconds.")
        if abs(self.now - int(text)) > TOLERANCE:
            raise Refusal("The timestamp is more than five minutes away from now.")
        return int(text)


Verify = Callable[[Given, Sequence[str], Mapping[str, str]], Genuine]


@dataclass(frozen=True)
class Scheme:
    """A way of signing; `standard_secret` secrets are `whsec_…`, others any text."""

    name: str
    label: object
    help: object
    verify: Verify
    standard_secret: bool = False


def _hmac(secret: str, text: bytes, digest: str = "sha256") -> bytes:
    return hmac.digest(secret.encode(), text, getattr(hashlib, digest))


def _one_of(given: Sequence[bytes], right: Sequence[bytes]) -> bool:
    return any(hmac.compare_digest(left, each) for left in given for each in right)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if len(text) <= 256 else b""
    except ValueError:
        return b""


def _genuine(found: bool) -> None:
    if not found:
        raise Refusal("The signature does not fit the message and the secret.")


def standard(given: Given, secrets: Sequence[str], _options: Mapping[str, str]) -> Genuine:
    """Standard Webhooks 1.0; the headers may also be called svix-…"""
    prefix = "webhook" if "webhook-id" in given.headers else "svix"
    message_id = given.header(f"{prefix}-id")
    stamp = given.fresh(given.header(f"{prefix}-timestamp"))
    keys = [signing.key_of(secret) for secret in secrets]
    _genuine(signing.verifies(keys, message_id, stamp, given.body, given.header(f"{prefix}-signature")))
    return Genuine(message_id[:200], message_id.encode())


def github(given: Given, secrets: Sequence[str], _options: Mapping[str, str]) -> Genuine:
    """GitHub: sha256=<hex of the body's HMAC>. Its delivery id is not signed, so the body tells repeats apart."""
    signed = _hex(given.header("x-hub-signature-256").removeprefix("sha256="))
    _genuine(_one_of([signed], [_hmac(secret, given.body) for secret in secrets]))
    return Genuine(given.headers.get("x-github-delivery", "")[:200], given.body)


def stripe(given: Given, secrets: Sequence[str], _options: Mapping[str, str]) -> Genuine:
    """Stripe: t=<seconds>,v1=<hex>[,v1=…] over timestamp.body."""
    parts = [part.partition("=") for part in given.header("stripe-signature").split(",")[:16]]
    stamp = next((value for name, _equals, value in parts if name.strip() == "t"), "")
    text = f"{given.fresh(stamp)}.".encode() + given.body
    signed = [_hex(value.strip()) for name, _equals, value in parts if name.strip() == "v1"]
    _genuine(_one_of(signed, [_hmac(secret, text) for secret in secrets]))
    return Genuine("", given.body)


def slack(given: Given, secrets: Sequence[str], _options: Mapping[str, str]) -> Genuine:
    """Slack: v0=<hex> over v0:timestamp:body."""
    stamp = given.fresh(given.header("x-slack-request-timestamp"))
    signed = _hex(given.header("x-slack-signature").removeprefix("v0="))
    text = f"v0:{stamp}:".encode() + given.body
    _genuine(_one_of([signed], [_hmac(secret, text) for secret in secrets]))
    return Genuine("", given.body)


def plain_hmac(given: Given, secrets: Sequence[str], options: Mapping[str, str]) -> Genuine:
    """Any sender: the HMAC of the body, or of timestamp.body, in a header of its choice."""
    text = given.header(options["header"])
    prefix = options.get("prefix", "")
    if not text.startswith(prefix):
        raise Refusal("The signature does not begin as the source says.")
    signed = _decoded(text.removeprefix(prefix), options.get("encoding", "hex"))
    body = given.body
    if options.get("timestamp_header"):
        stamp = given.fresh(given.header(options["timestamp_header"]))
        body = f"{stamp}.".encode() + body
    digest = options.get("digest", "sha256")
    _genuine(_one_of([signed], [_hmac(secret, body, digest) for secret in secrets]))
    return Genuine(given.headers.get(options.get("id_header", ""), "")[:200], body)


def _decoded(text: str, encoding: str) -> bytes:
    if encoding == "hex":
        return _hex(text)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


SCHEMES: Mapping[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            "standard",
            "Standard Webhooks",
            _("For senders that follow the specification, such as another AI-BOS."),
            standard,
            standard_secret=True,
        ),
        Scheme("github", "GitHub", _("The secret is the one you type at GitHub."), github),
        Scheme("stripe", "Stripe", _("The secret is the signing secret that Stripe shows."), stripe),
        Scheme("slack", "Slack", _("The secret is the signing secret of your Slack app."), slack),
        Scheme("hmac", _("Other (HMAC)"), _("For any sender that signs the body with a secret."), plain_hmac),
    )
}
OPTIONS = frozenset({"header", "prefix", "encoding", "digest", "timestamp_header", "id_header"})
