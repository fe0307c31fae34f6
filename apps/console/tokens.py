"""The design tokens of static/css/tokens.css as the theme's colour scales, so that console and portal share one file."""

import re
from pathlib import Path

TOKENS = Path(__file__).resolve().parents[2] / "static" / "css" / "tokens.css"
_TOKEN = re.compile(r"--ab-([a-z0-9-]+):\s*([^;]+);")


def read(path: Path = TOKENS) -> tuple[dict[str, str], dict[str, str]]:
    """Return the light and the dark values by token name; dark holds only what it overrides."""
    text = path.read_text(encoding="utf-8")
    light, _, rest = text.partition('\n[data-bs-theme="dark"] {')
    dark, _, plain = rest.partition("\n}")
    return dict(_TOKEN.findall(light + plain)), dict(_TOKEN.findall(dark))


def scales(path: Path = TOKENS) -> dict[str, dict[str, str]]:
    """Return the theme's `base`, `primary` and `font` scales.

    The theme paints light pages from the low end of a scale and dark pages from its high end, so the low steps are
    the light tokens and the high steps the dark ones.
    """
    light, dark = read(path)
    brand = light["brand"]
    base = {
        "50": light["canvas"],
        "100": light["sunken"],
        "200": light["line"],
        "300": _between(light["line"], light["line-strong"]),
        "400": dark["ink-3"],
        "500": light["ink-3"],
        "600": light["ink-2"],
        "700": _between(dark["line"], dark["line-strong"]),
        "800": dark["line"],
        "900": dark["surface"],
        "950": dark["canvas"],
    }
    steps = {"50": 6, "100": 12, "200": 24, "300": 45}
    primary = {step: f"color-mix(in oklab, {brand} {share}%, white)" for step, share in steps.items()}
    primary |= {
        "400": dark["brand-text"],
        "500": dark["brand-text"],
        "600": brand,
        "700": light["brand-text"],
    }
    primary |= {
        step: f"color-mix(in oklab, {brand} {share}%, black)" for step, share in (("800", 70), ("900", 50))
    }
    primary["950"] = f"color-mix(in oklab, {brand} 30%, black)"
    font = {
        "subtle-light": light["ink-3"],
        "subtle-dark": dark["ink-3"],
        "default-light": light["ink-2"],
        "default-dark": dark["ink-2"],
        "important-light": light["ink"],
        "important-dark": dark["ink"],
    }
    return {"base": base, "primary": primary, "font": font}


def _between(one: str, other: str) -> str:
    return f"color-mix(in oklab, {one}, {other})"
