"""What a user agent says about browser and system; enough to recognise one's own device."""

from dataclasses import dataclass

BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Device:
    """Browser and system, empty where the agent names none that people know."""

    browser: str
    system: str

    @property
    def phone(self) -> bool:
        return self.system in ("iPhone", "Android")

    @property
    def label(self) -> str:
        return " · ".join(part for part in (self.browser, self.system) if part)


def device_of(agent: str) -> Device:
    """Return what `agent` names; the first mark that fits counts, since browsers also name their ancestors."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return Device(browser, system)
