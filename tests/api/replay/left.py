"""Exchanges of the recording that are not played, each with what stands in their place or what they wait for."""

from collections.abc import Iterator

_FLOWS = "flows and approvals: a later stage; the artifact's are named as parked"
_LEFT: dict[tuple[int, ...], str] = {
    (
        56,
        57,
        58,
    ): "drafts of views: a view is part of its object here, whose drafts tests/api/test_meta*.py play",
    (63,): "the same as 33",
    (64, 65): "the seed text's addresses, which the reference lacks and we serve: tests/api/test_data.py",
    (66,): "tests/api/test_openapi.py validates the document",
    (119, 120, 122, 123): "an import job's way to its end needs a worker: tests/api/test_imports.py",
    (126,): "an XLSX export has no shape in JSON: tests/api/test_export_formats.py opens it",
    (146,): "played in tests/api/test_data.py",
    (151,): "a truncated body is no empty one here: tests/api/test_body.py",
    tuple(range(188, 214)): _FLOWS,
    (214, 215): "actions are JavaScript: named as parked",
    (216, 217, 218): "notifications: a later stage",
    tuple(range(223, 233)): "storage of files: a later stage",
    (250, 251, 252): "MCP: a later stage",
    tuple(range(253, 258)): "share links: a later stage; publicSharing is named as parked",
    tuple(range(258, 265)): "reports over the API: a later stage; the portal has them",
    (265,): "email over the API: a later stage",
    (266,): "external data sources are not planned",
    (267, 268, 269, 270): "ai: a later stage; the open reference answers 501 itself",
    (271, 273): "environments exist in the reference's cloud alone: 404 there, ENDPOINT_NOT_FOUND here",
    (272,): "OAuth applications: a later stage",
}


def left() -> Iterator[int]:
    """Yield the numbers of the exchanges that are not played."""
    for numbers in _LEFT:
        yield from numbers
