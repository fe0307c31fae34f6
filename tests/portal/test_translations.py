"""The shipped languages: catalogues that load, keep their placeholders and cover the pages."""

import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
LOCALES = ROOT / "apps" / "portal" / "locale"
LANGUAGES = ["de", "zh_Hans", "ja", "ar"]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%n")
SIMPLE = re.compile(r"""\{% translate (?:"([^"]+)"|'([^']+)')(?: as \w+)? %\}""")


def catalogue(language: str) -> dict[object, str]:
    """Return the messages of a compiled catalogue."""
    with (LOCALES / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined, no-any-return]


def source(language: str) -> dict[str, str]:
    """Return the plain messages of the text that the compiled catalogue is made of."""
    text = (LOCALES / language / "LC_MESSAGES" / "django.po").read_text(encoding="utf-8")
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.*)"$', text, re.MULTILINE)
    return {key.replace('\\"', '"'): value.replace('\\"', '"') for key, value in pairs}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_one_in_the_text(language: str) -> None:
    compiled = catalogue(language)
    assert source(language)
    assert {key: compiled.get(key) for key in source(language)} == source(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_survive_translation(language: str) -> None:
    for key, value in source(language).items():
        assert sorted(PLACEHOLDER.findall(key)) == sorted(PLACEHOLDER.findall(value)), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_templates_are_covered(language: str) -> None:
    words = set()
    for folder in ("portal", "components", "errors"):
        for path in (ROOT / "templates" / folder).rglob("*.html"):
            if "imports" in path.parts:  # English until its words settle
                continue
            words |= {one or two for one, two in SIMPLE.findall(path.read_text(encoding="utf-8"))}
    known = catalogue(language)
    missing = sorted(word for word in words if word.replace("%", "%%") not in known)
    assert len(missing) <= len(words) // 20, missing


def test_every_language_of_the_settings_is_shipped() -> None:
    shipped = {path.name.replace("_", "-").lower() for path in LOCALES.iterdir() if path.is_dir()}
    assert shipped == {code for code, _name in settings.LANGUAGES} - {"en"}
