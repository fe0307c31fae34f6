"""Names of the installed modules, for the navigation and the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.modules.models import Installation
from apps.modules.packages import notices

SHORT = 4


def label_of(module: str) -> str:
    """Return a readable name for a module's id: crm → CRM, field_service → Field service."""
    words = module.replace("-", " ").replace("_", " ").strip()
    return words.upper() if len(words) <= SHORT else words.capitalize()


@dataclass(frozen=True)
class Installed:
    """A module that the tenant uses; `notices` name the parts of a package that do not run here."""

    key: str
    name: str
    version: str
    description: str
    installed_at: datetime
    notices: Sequence[Mapping[str, str]]


def overview() -> list[Installed]:
    """Return the installed modules by name."""
    return [
        Installed(
            m.module,
            m.name or label_of(m.module),
            m.version,
            str(m.manifest.get("description", "")),
            m.installed_at,
            notices(m),
        )
        for m in Installation.objects.order_by("name")
    ]


def labels() -> dict[str, str]:
    """Return the names of the installed modules by id."""
    return {key: name or label_of(key) for key, name in Installation.objects.values_list("module", "name")}
