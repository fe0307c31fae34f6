"""The document itself: walked once a process, expanded for a tenant when somebody of it asks."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from apps.api.contract import OBJECT
from apps.api.openapi.components import SECURITY, schemas
from apps.api.openapi.objects import expand
from apps.objects.definitions import ObjectDef
from apps.permissions.access import Access

URLS = "apps.api.urls"
DESCRIPTION = """
Records of every object of the tenant, their definitions, rights and history. Sign in with a bearer token or an
API key. Every answer carries `X-Request-Id`; every refusal has a stable `code`. Writes accept `Idempotency-Key`.
""".strip()


@cache
def general(version: str) -> dict[str, Any]:
    """Return the document for nobody in particular: `{object}` stays a parameter."""
    generator = SchemaGenerator(urlconf=URLS)
    paths = generator.parse(None, public=True)
    records = dict.fromkeys(("Record", "RecordCreate", "RecordUpdate"), OBJECT)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AI-BOS",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "paths": paths,
        "components": {"schemas": {**schemas(), **records}, "securitySchemes": SECURITY},
    }


def of_tenant(version: str, objects: list[ObjectDef], access: Access) -> dict[str, Any]:
    """Return the document with the objects that the caller may read, as the caller sees them."""
    visible = [obj for obj in objects if access.can("read", obj) and obj.enable.api_enabled]
    return expand(general(version), visible, access)
