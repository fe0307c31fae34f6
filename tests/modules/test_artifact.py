"""A compiled artifact of the official tools becomes a module; what cannot run here is named."""

import copy
import json
from pathlib import Path

import pytest
from django.db import transaction

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.errors import Conflict, PermissionDenied
from apps.core.scope import tenant_scope
from apps.modules import catalogue, install, packages
from apps.modules.artifact import read_artifact
from apps.modules.artifact.stack import read_stack
from apps.modules.models import Installation, Package
from apps.objects import query
from apps.objects.catalog import catalog
from apps.objects.parse import DefinitionErrors
from apps.permissions.models import PermissionSet

ARTIFACT = Path(__file__).parents[1] / "data" / "objectstack" / "objectstack.json"
SMALL = {
    "manifest": {"id": "com.example.shop", "namespace": "shop", "version": "1.0.0", "name": "Shop"},
    "objects": [
        {
            "name": "shop_item",
            "label": "Item",
            "isSystem": False,
            "sharingModel": "public_read_write",
            "fields": {
                "name": {"type": "text", "required": True, "multiple": False, "sortable": True},
                "price": {"type": "currency"},
                "parent": {"type": "lookup", "reference": "shop_item"},
            },
        }
    ],
}


def small(**more):
    return {**copy.deepcopy(SMALL), **more}


def faults(stack):
    with pytest.raises(DefinitionErrors) as refused:
        read_stack(stack)
    return {(error.path, error.code) for error in refused.value.errors}


def told(source):
    return {(notice["path"], notice["outcome"]) for notice in source.notices}


@pytest.fixture
def here(acme):
    """Acme's scope on the owner's login; all of it is rolled back."""
    with owner_session(), tenant_scope(acme) as scope:
        yield scope
        transaction.set_rollback(True)


def test_nothing_of_the_official_artifact_is_dropped_in_silence():
    """Every part of the file is either in the module or named by a notice."""
    stack = json.loads(ARTIFACT.read_text("utf-8"))
    source = read_artifact(ARTIFACT.read_bytes())
    named = {notice["path"] for notice in source.notices}
    for item in stack["objects"]:
        body = source.objects[item["name"]]
        for name in item["fields"]:
            assert name in body["fields"] or f"objects.{item['name']}.fields.{name}" in named
        for key in item.keys() - {"isSystem", "datasource", "fields"}:
            assert key in body or f"objects.{item['name']}.{key}" in named, (item["name"], key)
    assert set(source.permission_sets) == {"crm_export", "crm_sales"}
    assert source.permission_sets["crm_sales"]["rowLevelSecurity"][0]["using"] == "region == 'west'"
    for key in ("flows", "hooks", "jobs"):
        assert {f"{key}.{item['name']}" for item in stack[key]} <= named
    assert source.parked["hooks"] == stack["hooks"]
    assert source.objects["crm_lead"]["translations"]["zh-hans"]["label"] == "线索"


def test_the_official_artifact_installs(here):
    row = packages.bring(read_artifact(ARTIFACT.read_bytes()), by=SYSTEM)
    assert (row.module, row.version) == ("com.example.crm", "0.1.0")
    lead = catalog().object("crm_lead")
    assert lead.module == "com.example.crm"
    assert lead.noun == "crm.lead"
    assert lead.label_for("zh-hans") == "线索"
    assert PermissionSet.objects.filter(module=row.module).count() == 2
    assert packages.notices(row)


def test_a_package_is_upgraded_and_removed(here):
    packages.bring(read_stack(small()), by=SYSTEM)
    with pytest.raises(Conflict, match="other content"):
        packages.bring(read_stack(small(data=[seed()])), by=SYSTEM)
    newer = small()
    newer["manifest"]["version"] = "1.1.0"
    newer["objects"][0]["fields"]["color"] = {"type": "text"}
    assert packages.bring(read_stack(newer), by=SYSTEM).version == "1.1.0"
    assert "color" in catalog().object("shop_item").fields
    install.uninstall("com.example.shop", by=SYSTEM)
    assert "shop_item" not in catalog()
    assert not Installation.objects.filter(module="com.example.shop").exists()
    assert Package.objects.filter(code="com.example.shop").count() == 2


def test_a_package_belongs_to_its_tenant(acme, globex):
    with tenant_scope(acme):
        packages.keep(source=read_stack(small()), by=SYSTEM)
    with tenant_scope(globex):
        assert catalogue.versions("com.example.shop") == []
    with tenant_scope(acme):
        assert len(catalogue.versions("com.example.shop")) == 1
        Package.objects.all().delete()


def test_only_managers_bring_packages(in_acme, people):
    with pytest.raises(PermissionDenied):
        packages.keep(source=read_stack(small()), by=people.actor("sales"))
    packages.keep(source=read_stack(small()), by=people.actor("admin"))


def seed(**more):
    records = [{"name": "Desk", "price": 10}, {"name": "Leg", "parent": "Desk"}]
    return {"object": "shop_item", "externalId": "name", "mode": "upsert", "records": records} | more


def test_seed_records_come_with_the_installation_and_find_each_other(here):
    packages.bring(read_stack(small(data=[seed()])), by=SYSTEM)
    page = query.find("shop_item", {"expand": {"parent": {"object": "shop_item"}}}, by=SYSTEM)
    rows = [json.loads(row) for row in page.rows]
    found = {row["name"]: row for row in rows}
    assert found["Leg"]["parent"]["name"] == "Desk"
    assert found["Desk"]["price"] == 10


def test_seed_for_tests_stays_out():
    source = read_stack(small(data=[seed(env=["test"])]))
    assert source.seed == {}
    assert ("data.0", "refused") in told(source)


def test_what_cannot_run_is_parked_with_its_name():
    stack = small(flows=[{"name": "shop_flow"}], hooks=[{"name": "shop_hook"}], dashboards=[{"name": "d"}])
    stack["objects"][0]["stageField"] = "name"
    stack["objects"][0]["fields"]["photo"] = {"type": "image"}
    source = read_stack(stack)
    assert told(source) >= {
        ("flows.shop_flow", "parked"),
        ("hooks.shop_hook", "parked"),
        ("dashboards.d", "parked"),
        ("objects.shop_item.fields.photo", "parked"),
    }
    assert set(source.parked) == {"flows", "hooks", "dashboards"}
    assert "photo" not in source.objects["shop_item"]["fields"]


def test_what_guards_records_is_never_parked():
    stack = small()
    stack["objects"][0]["externalSharingModel"] = "private"
    assert ("objects.shop_item.externalSharingModel", "unsupported") in faults(stack)


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"id": "Not An Id"}, "manifest.id", "invalid_name"),
        ({"namespace": "x" * 30}, "manifest.namespace", "invalid_name"),
        ({"version": "one"}, "manifest.version", "invalid_value"),
        ({"engines": {"protocol": "^16"}}, "manifest.engines.protocol", "conflict"),
        ({"type": "driver"}, "manifest.type", "not_applicable"),
        (
            {"dependencies": {"com.example.crm": "soon"}},
            "manifest.dependencies.com.example.crm",
            "invalid_value",
        ),
    ],
)
def test_manifests_that_are_refused(change, path, code):
    stack = small()
    stack["manifest"] |= change
    assert (path, code) in faults(stack)


def test_names_carry_the_namespace():
    stack = small(permissions=[{"name": "other_set", "objects": {}}])
    stack["manifest"]["namespace"] = "depot"
    found = faults(stack)
    assert ("objects.shop_item.name", "invalid_name") in found


def test_a_namespace_of_its_own_stands_behind_the_id():
    stack = small()
    stack["manifest"]["id"] = "com.example.sales-app"
    manifest = read_stack(stack).manifest
    assert (manifest.id, manifest.package, manifest.prefix) == (
        "com.example.sales-app:shop",
        "com.example.sales-app",
        "shop_",
    )


def test_sets_speak_of_their_own_objects_and_grant_nothing_of_the_platform():
    rights = {"allowRead": True}
    sets = [
        {
            "name": "shop_clerk",
            "isDefault": True,
            "objects": {"shop_item": rights, "crm_lead": rights},
            "fields": {"shop_item.gone": {"readable": True}},
            "systemPermissions": ["manage_members"],
        }
    ]
    source = read_stack(small(permissions=sets))
    assert source.permission_sets["shop_clerk"]["objects"] == {"shop_item": rights}
    assert told(source) >= {
        ("permissions.shop_clerk.objects.crm_lead", "refused"),
        ("permissions.shop_clerk.fields.shop_item.gone", "refused"),
        ("permissions.shop_clerk.systemPermissions", "refused"),
        ("permissions.shop_clerk.isDefault", "refused"),
    }


def test_list_views_come_over():
    view = {
        "type": "grid",
        "label": "Cheap",
        "columns": ["name", {"field": "price"}],
        "filter": [{"field": "price", "operator": "less_than", "value": 5}],
        "sort": [{"field": "price", "order": "desc"}],
        "rowHeight": "tall",
    }
    kanban = {"type": "kanban", "columns": ["name"]}
    source = read_stack(small(views=[{"object": "shop_item", "list": view, "listViews": {"board": kanban}}]))
    made = source.objects["shop_item"]["listViews"]
    assert made["all"]["filter"] == {"$and": [{"price": {"$lt": 5}}]}
    assert made["all"]["columns"] == ["name", "price"]
    assert told(source) >= {
        ("views.shop_item.all.rowHeight", "parked"),
        ("views.shop_item.board", "parked"),
    }


@pytest.mark.parametrize("text", [b"", b"[]", b'{"manifest": {}, "manifest": {}}', b'{"a": NaN}', b"\xff"])
def test_files_that_are_no_artifact(text):
    with pytest.raises(DefinitionErrors):
        read_artifact(text)
