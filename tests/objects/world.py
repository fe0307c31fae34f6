"""Three small objects in both tenants, people with different rights on them, and ways to make rows."""

from dataclasses import dataclass, field
from uuid import UUID

import pytest
from django.db import connections, transaction

from apps.core.actor import SYSTEM, Actor
from apps.core.ids import uuid7
from apps.core.scope import TenantRef, tenant_scope
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions

STATUSES = ["new", "working", "won", "lost"]


def option(value):
    return {"value": value, "label": value.title()}


ACCOUNT = {
    "name": "qa_account",
    "label": "Account",
    "sharingModel": "public_read",
    "nameField": "name",
    "fields": {
        "name": {"type": "text", "label": "Name", "required": True, "unique": True, "searchable": True},
        "industry": {"type": "select", "options": [option("tech"), option("food")]},
        "margin": {"type": "currency", "label": "Margin"},
        "website": {"type": "url"},
        "parent": {"type": "lookup", "reference": "qa_account", "deleteBehavior": "restrict"},
    },
}
LEAD = {
    "name": "qa_lead",
    "label": "Lead",
    "sharingModel": "private",
    "nameField": "name",
    "searchableFields": ["name", "company", "secret_note"],
    "fields": {
        "name": {"type": "text", "label": "Name", "required": True, "maxLength": 80},
        "company": {"type": "text"},
        "email": {"type": "email"},
        "phone": {"type": "phone"},
        "notes": {"type": "textarea"},
        "score": {"type": "number", "min": 0, "max": 1000},
        "est_value": {"type": "currency"},
        "ratio": {"type": "percent"},
        "vip": {"type": "boolean"},
        "born": {"type": "date"},
        "seen_at": {"type": "datetime"},
        "status": {"type": "select", "options": [option(s) for s in STATUSES], "defaultValue": "new"},
        "tags": {"type": "multiselect", "options": [option("aa"), option("bb"), option("cc")]},
        "account": {"type": "lookup", "reference": "qa_account", "deleteBehavior": "restrict"},
        "assignee": {"type": "user"},
        "code": {"type": "autonumber", "autonumberFormat": "L-{0000}"},
        "extra": {"type": "json"},
        "ref_no": {"type": "text", "unique": True},
        "fixed": {"type": "text", "readonly": True},
        "secret_note": {"type": "text"},
        "quiet": {"type": "text", "trackHistory": False},
    },
}
NOTE = {
    "name": "qa_note",
    "label": "Note",
    "sharingModel": "private",
    "nameField": "title",
    "fields": {
        "title": {"type": "text", "required": True},
        "lead": {"type": "master_detail", "reference": "qa_lead", "required": True},
    },
}
BOARD = {
    "name": "qa_board",
    "label": "Board",
    "sharingModel": "public_read_write",
    "nameField": "title",
    "fields": {"title": {"type": "text", "required": True}},
}
EVERY = {"allowRead": True, "allowCreate": True, "allowEdit": True, "allowDelete": True}
SALES = {
    "objects": {
        "qa_lead": EVERY,
        "qa_account": {"allowRead": True, "allowCreate": True, "allowEdit": True},
        "qa_note": EVERY,
        "qa_board": EVERY,
    },
    "fields": {
        "qa_lead.secret_note": {"readable": False},
        "qa_lead.est_value": {"readable": True},
        "qa_account.margin": {"readable": False},
    },
}
MANAGER = {
    "objects": {
        name: EVERY
        | {"allowExport": True, "viewAllRecords": True, "modifyAllRecords": True, "allowTransfer": True}
        for name in ("qa_lead", "qa_account", "qa_note", "qa_board")
    }
}
READER = {"objects": {"qa_lead": {"allowRead": True, "viewAllRecords": True}}}
SETS = {"qa_sales": ("sales", SALES), "qa_manager": ("manager", MANAGER), "qa_reader": ("reader", READER)}


_published: set[UUID] = set()  # each module that imports the fixture has its own; the tenants are shared


@dataclass
class World:
    """The published objects' tenants and their people."""

    people: object
    acme: TenantRef
    globex: TenantRef
    made: list = field(default_factory=list)

    def actor(self, name, tenant="acme") -> Actor:
        return self.people.actor(name, tenant)

    def user(self, name, tenant="acme") -> UUID:
        return self.people.actor(name, tenant).user_id


def _publish(people, tenants):
    definitions = [load_body(body) for body in (ACCOUNT, LEAD, NOTE, BOARD)]
    for slug, ref in tenants.items():
        publish_in(ref, definitions, by=SYSTEM)
        with tenant_scope(ref):
            for name, (holder, body) in SETS.items():
                permissions.create_set(name=name, label=name, body=body, by=SYSTEM)
                permissions.assign(user_id=people.actor(holder, slug).user_id, name=name, by=SYSTEM)


@pytest.fixture(scope="session")
def published(database, people):
    if database["acme"].id not in _published:
        _publish(people, database)
        _published.add(database["acme"].id)
    return World(people, database["acme"], database["globex"])


@pytest.fixture
def world(published, clean_connection):
    """The world; each test cleans up the rows it committed by `wiped`."""
    return published


@pytest.fixture
def wiped(world):
    """Committed rows of the test objects are gone afterwards."""
    yield world
    for ref in (world.acme, world.globex):
        with tenant_scope(ref), connections["default"].cursor() as cursor:
            for name in ("qa_note", "qa_lead", "qa_account", "qa_board"):
                cursor.execute(f'DELETE FROM "obj_{name}"')


@pytest.fixture
def inside(world):
    """Acme's scope, rolled back."""
    with tenant_scope(world.acme):
        yield world
        transaction.set_rollback(True)


def insert(table, **values):
    """Write a row past all services; returns its id."""
    values = {"id": uuid7(), **values}
    columns = ", ".join(f'"{c}"' for c in values)
    marks = ", ".join(["%s"] * len(values))
    with connections["default"].cursor() as cursor:
        cursor.execute(f'INSERT INTO "obj_{table}" ({columns}) VALUES ({marks})', list(values.values()))
    return values["id"]
