"""Dead letters in words: what was done to one, and what its task takes."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from apps.events.types import JobView


def acts_of(job: JobView, *, sealed: bool) -> list[dict[str, Any]]:
    """Return what people did to a job, the last first: sentence, who, when, why, and the arguments of before."""
    words = {
        "retried": _("Tried again"),
        "edited": _("Edited and tried again"),
        "quarantined": _("Put in quarantine"),
        "discarded": _("Given up"),
        "put back": _("Put back: the replay was stopped"),
    }
    return [
        {
            "words": words.get(item["act"], item["act"]),
            "who": item.get("by", {}).get("label", ""),
            "at": dt.datetime.fromisoformat(item["at"]),
            "reason": item.get("reason", ""),
            "replay": item.get("replay", ""),
            "args": ""
            if sealed or "args" not in item
            else json.dumps(item["args"], ensure_ascii=False, indent=2),
            "version": item.get("version"),
        }
        for item in reversed(job.acts)
    ]


def rows_of_schema(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a task takes, one row per argument: name, kind, whether it must be there, and its meaning."""
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "kind": _kind(told),
            "required": name in required,
            "doc": told.get("description", ""),
        }
        for name, told in schema.get("properties", {}).items()
    ]


def _kind(told: Mapping[str, Any]) -> str:
    """Return the kind of an argument in words, with its bounds."""
    words = {
        "string": _("text"),
        "integer": _("whole number"),
        "number": _("number"),
        "boolean": _("true or false"),
        "array": _("list"),
        "object": _("group"),
        "null": _("nothing"),
    }
    if "enum" in told:
        return " · ".join(str(value) for value in told["enum"])
    if "anyOf" in told:
        return " / ".join(_kind(item) for item in told["anyOf"])
    kinds = told.get("type", [])
    named = [words.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    bounds = [
        f"≥ {told['minimum']}" if "minimum" in told else "",
        f"≤ {told['maximum']}" if "maximum" in told else "",
    ]
    return " ".join([" / ".join(named) or _("anything"), *filter(None, bounds)])
