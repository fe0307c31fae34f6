"""A tenant's colour made readable: contrast after WCAG 2.2, and the style sheet that carries the brand."""

import re
from dataclasses import dataclass

DEFAULT = "#4152d4"
COLOR = re.compile(r"#[0-9a-f]{6}\Z")
WHITE, INK = "#ffffff", "#161a22"
LIGHT_SURFACES, DARK_SURFACES = ("#ffffff", "#f5f6f8"), ("#161a21", "#1c2129")
TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 1.6
SOFT = 0.10  # how much of the brand lies in the tint behind brand-coloured text
SOFT_DARK = 0.15

Rgb = tuple[int, int, int]


def rgb(color: str) -> Rgb:
    """Return the channels of `#rrggbb`."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def hexadecimal(channels: tuple[float, float, float]) -> str:
    """Return `#rrggbb`."""
    return "#" + "".join(f"{round(max(0.0, min(255.0, value))):02x}" for value in channels)


def mix(color: str, other: str, share: float) -> str:
    """Return `color` with `share` (0 to 1) of `other` in it."""
    one, two = rgb(color), rgb(other)
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(one, two, strict=True))
    return hexadecimal((red, green, blue))


def luminance(color: str) -> float:
    """Return the relative luminance, 0 for black and 1 for white."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def readable_on(color: str) -> str:
    """Return the text colour, white or ink, that reads better on `color`."""
    return WHITE if contrast(color, WHITE) >= contrast(color, INK) else INK


def towards(color: str, goal: str, backgrounds: tuple[str, ...], needed: float, tint: float = 0.0) -> str:
    """Return the nearest mix of `color` and `goal` that stands out from every background by `needed`.

    With `tint`, each background also counts with that share of the result laid over it.
    """
    for step in range(51):
        found = mix(color, goal, step / 50)
        grounds = backgrounds + tuple(mix(ground, found, tint) for ground in backgrounds if tint)
        if all(contrast(found, ground) >= needed for ground in grounds):
            return found
    return goal


@dataclass(frozen=True)
class Brand:
    """The colours of one brand in both themes: shapes, text on shapes, brand-coloured text on surfaces."""

    wish: str
    light: str
    light_fg: str
    light_text: str
    dark: str
    dark_fg: str
    dark_text: str

    @property
    def adjusted(self) -> bool:
        """Whether the wish had to be changed to be seen on white."""
        return self.light != self.wish


def brand(color: str) -> Brand:
    """Return readable colours for any `#rrggbb`."""
    light = towards(color, "#000000", LIGHT_SURFACES, SHAPE_CONTRAST)
    dark = towards(color, WHITE, DARK_SURFACES, 2.2)
    return Brand(
        wish=color,
        light=_filled(light),
        light_fg=readable_on(_filled(light)),
        light_text=towards(color, "#000000", LIGHT_SURFACES, TEXT_CONTRAST, SOFT),
        dark=_filled(dark),
        dark_fg=readable_on(_filled(dark)),
        dark_text=towards(color, WHITE, DARK_SURFACES, TEXT_CONTRAST, SOFT_DARK),
    )


def _filled(color: str) -> str:
    """Return `color`, a little darker when neither white nor ink reads on it."""
    if contrast(color, readable_on(color)) >= TEXT_CONTRAST:
        return color
    return towards(color, "#000000", (WHITE,), TEXT_CONTRAST)


def css(color: str) -> str:
    """Return the style sheet of a brand; it sets the brand's tokens and nothing else."""
    b = brand(color)
    return (
        f':root,[data-bs-theme="light"]{{--ab-brand:{b.light};--ab-brand-fg:{b.light_fg};--ab-brand-text:{b.light_text}}}\n'
        f'[data-bs-theme="dark"]{{--ab-brand:{b.dark};--ab-brand-fg:{b.dark_fg};--ab-brand-text:{b.dark_text}}}\n'
    )
