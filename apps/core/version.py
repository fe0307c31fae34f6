"""Which version of the product runs here."""

import tomllib
from functools import cache

from django.conf import settings


@cache
def product_version() -> str:
    """Return the version that the project's own file names."""
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return str(project["version"])
