"""Reading definitions: owns the accepted keys; offers `load_yaml`, `load_body`; must never guess or execute."""

from apps.objects.parse.errors import DefinitionError, DefinitionErrors
from apps.objects.parse.load import load_body, load_tree, load_yaml

__all__ = [
    "DefinitionError",
    "DefinitionErrors",
    "load_body",
    "load_tree",
    "load_yaml",
]
