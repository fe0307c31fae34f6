"""The body of a request: its size and type judged before it is read; `parse` is the strict JSON parser."""

from django.http import HttpRequest

from apps.core.errors import Problem
from apps.core.strict_json import MAX_DEPTH, parse

__all__ = ["MAX_BYTES", "MAX_DEPTH", "check_type", "parse", "read_bytes"]

MAX_BYTES = 1024 * 1024
_JSON_TYPES = ("application/json", "application/merge-patch+json")


def read_bytes(request: HttpRequest, *, limit: int = MAX_BYTES) -> bytes:
    """Return the raw body; refuse one longer than `limit` bytes before it is read."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isdigit():
        raise Problem("INVALID_REQUEST", "Content-Length must be a number.", status=400)
    if int(announced) > limit:
        raise Problem(
            "PAYLOAD_TOO_LARGE",
            f"The body has {announced} bytes; at most {limit} are read.",
            status=413,
            cure="Send fewer records at once, or use the file import.",
            details={"limit": limit},
        )
    return request.read(int(announced))


def check_type(request: HttpRequest) -> None:
    """Refuse a body that does not say it is plain JSON in UTF-8; 415 UNSUPPORTED_MEDIA_TYPE."""
    kind, _, parameters = (request.META.get("CONTENT_TYPE") or "").partition(";")
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    if kind.strip().lower() not in _JSON_TYPES or charset not in ("", "utf-8", "utf8"):
        raise Problem(
            "UNSUPPORTED_MEDIA_TYPE",
            "The body must be application/json in UTF-8.",
            status=415,
            headers={"Accept": "application/json"},
        )
    if request.META.get("HTTP_CONTENT_ENCODING", "identity") not in ("", "identity"):
        raise Problem("UNSUPPORTED_MEDIA_TYPE", "A compressed body is not read.", status=415)
