"""The table at the end of a start: where to go and who may enter."""

import json
from pathlib import Path
from typing import Any


def table(port: int, demo: Path, *, live: bool) -> str:
    """The addresses and, where demo data were made, their logins."""
    known = _read(demo)
    here = f"http://localhost:{port}"
    lines: list[tuple[str, str, str]] = [("Console", f"{here}/console/", _login(known.get("operator")))]
    for tenant in known.get("tenants", []):
        slug = tenant.get("slug", "")
        lines.append((tenant.get("name", slug), f"http://{slug}.localhost:{port}/", ""))
        lines += [("", f"    {item.get('rights', '')}", _login(item)) for item in tenant.get("members", [])]
    lines.append(("API", f"{here}/api/v1", ""))
    keys = known.get("api_keys", [])
    lines += [("", f"    x-api-key for {key.get('tenant', '')}", key.get("key", "")) for key in keys]
    lines.append(("API docs", f"{here}/api/v1/docs", ""))
    if not live:
        lines.append(("Note", "without the front door there are no live pages", "see var/log/front.log"))
    return _drawn(lines)


def _read(demo: Path) -> dict[str, Any]:
    try:
        known = json.loads(demo.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _login(person: dict[str, str] | None) -> str:
    return f"{person.get('email', '')}  {person.get('password', '')}" if person else ""


def _drawn(lines: list[tuple[str, str, str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    rule = "─" * (sum(widths) + 6)
    rows = [
        "   ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([rule, *rows, rule])
