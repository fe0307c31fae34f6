"""What a module declares about events: types that are enforced, and hooks with the installer's rights."""

from pathlib import Path
from typing import Any

import pytest

from apps.audit import queries as entries
from apps.core.actor import SYSTEM, Actor
from apps.core.db.owner import owner_session
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events import outbox
from apps.events.delivery import GROUP, Delivery
from apps.events.models import HookState, OutboxEvent
from apps.events.reader import Reader, lag
from apps.events.types import Event
from apps.modules import catalogue, install
from apps.modules.source import load
from apps.objects import query
from apps.objects.parse import DefinitionErrors
from apps.objects.records import change
from tests.events.working import until

HEAD = """
id: shop
name: Shop
version: 1.0.0
apiVersion: v1
permissions: [objects:define, permission_sets:define, events:define, hooks:define]
"""
ORDER = """
name: shop_order
label: Order
pluralLabel: Orders
sharingModel: public_read_write
fields:
  name: {type: text, label: Name, required: true}
  state: {type: text, label: State}
  note: {type: text, label: Note}
"""
EVENTS = """
events:
  - name: order.praised
    summary: An order was praised.
    version: 3
    schema: {type: object, required: [stars], properties: {stars: {type: integer, maximum: 5}}, additionalProperties: false}
"""
HOOKS = """
hooks:
  - name: praise
    on: shop.order.updated
    when: {changed: [state], is: {state: done}}
    do:
      - emit: shop.order.praised
        data: {stars: 5}
  - name: thank
    on: shop.order.praised
    do:
      - set: {note: Thank you}
"""
CHAIN = """
hooks:
  - {name: last, on: shop.order.created, priority: 900, do: [{set: {note: last}}]}
  - {name: first, on: shop.order.created, priority: 1, do: [{set: {note: first}}]}
  - {name: broken, on: shop.order.created, priority: 500, do: [{set: {nothing: here}}]}
  - {name: welcome, on: shop.order.created, once: true, do: [{set: {state: welcome}}]}
"""


def written(folder: Path, extra: str) -> Path:
    """A module of one object on disk."""
    home = folder / "shop"
    (home / "objects").mkdir(parents=True, exist_ok=True)
    (home / "module.yaml").write_text(HEAD + extra)
    (home / "objects" / "shop_order.yml").write_text(ORDER)
    return home


def installed(tenant: TenantRef, folder: Path, extra: str, *, by: Actor = SYSTEM) -> None:
    with platform_scope("test"):
        catalogue.register(source=load(written(folder, extra)), by=SYSTEM, replace=True)
    with owner_session(), tenant_scope(tenant):
        install.install("shop", by=by)


def deliver() -> None:
    def everything() -> bool:
        Reader(GROUP, Delivery(), bus="postgresql").drain()
        return not lag(GROUP, bus="postgresql").events

    until(everything)


def order(tenant: TenantRef, **data: Any) -> str:
    with tenant_scope(tenant):
        return change.create("shop_order", {"name": "One"} | data, by=SYSTEM).id


def shown(tenant: TenantRef, order_id: str) -> dict[str, Any]:
    with tenant_scope(tenant):
        return query.get("shop_order", order_id, by=SYSTEM).record()


def failures(tenant: TenantRef) -> dict[str, int]:
    with tenant_scope(tenant):
        return {row.hook: row.failures for row in HookState.objects.filter(failures__gt=0)}


def test_a_declared_type_is_enforced(fresh_tenant: TenantRef, acme: TenantRef, tmp_path: Path) -> None:
    installed(fresh_tenant, tmp_path, EVENTS)
    with tenant_scope(fresh_tenant):
        event_id = outbox.emit("shop.order.praised", data={"stars": 5}, by=SYSTEM)
        event = Event.read(bytes(OutboxEvent.objects.get(pk=event_id).body))
        assert event.envelope["dataschema"] == "urn:aibos:event:shop.order.praised:3"
        for wrong in ({}, {"stars": 6}, {"stars": 5, "more": 1}):
            with pytest.raises(ValueError, match="data"):
                outbox.emit("shop.order.praised", data=wrong, by=SYSTEM)
    with tenant_scope(acme), pytest.raises(LookupError):
        outbox.emit("shop.order.praised", data={"stars": 5}, by=SYSTEM)
    with owner_session(), tenant_scope(fresh_tenant):
        install.uninstall("shop", by=SYSTEM, allow_data_loss=True)
    with tenant_scope(fresh_tenant), pytest.raises(LookupError):
        outbox.emit("shop.order.praised", data={"stars": 5}, by=SYSTEM)


def test_a_hook_emits_and_sets(fresh_tenant: TenantRef, tmp_path: Path) -> None:
    installed(fresh_tenant, tmp_path, EVENTS + HOOKS)
    order_id = order(fresh_tenant)
    with tenant_scope(fresh_tenant):
        change.update("shop_order", order_id, {"state": "done"}, by=SYSTEM)
    for _ in range(3):
        deliver()
    assert shown(fresh_tenant, order_id)["note"] == "Thank you"
    assert failures(fresh_tenant) == {}
    with tenant_scope(fresh_tenant):
        last = entries.history(f"shop_order:{order_id}")
        praised = OutboxEvent.objects.filter(type="shop.order.praised")
        assert [row.subject for row in praised] == [f"shop_order:{order_id}"]
    assert "module:shop" in {entry.actor.id for entry in last}, "the ledger names the module"


def test_when_narrows(fresh_tenant: TenantRef, tmp_path: Path) -> None:
    installed(fresh_tenant, tmp_path, EVENTS + HOOKS)
    order_id = order(fresh_tenant, state="done")
    with tenant_scope(fresh_tenant):
        change.update("shop_order", order_id, {"name": "Two"}, by=SYSTEM)  # another field
        change.update("shop_order", order_id, {"state": "open"}, by=SYSTEM)  # another value
    deliver()
    with tenant_scope(fresh_tenant):
        assert not OutboxEvent.objects.filter(type="shop.order.praised").exists()
        change.update("shop_order", order_id, {"state": "done"}, by=SYSTEM)
    deliver()
    with tenant_scope(fresh_tenant):
        assert OutboxEvent.objects.filter(type="shop.order.praised").exists(), "negative control: it can hold"


def test_order_and_once(fresh_tenant: TenantRef, tmp_path: Path) -> None:
    installed(fresh_tenant, tmp_path, CHAIN)
    first, second = order(fresh_tenant), order(fresh_tenant)
    deliver()
    assert (shown(fresh_tenant, first)["note"], shown(fresh_tenant, first)["state"]) == ("last", "welcome")
    assert (shown(fresh_tenant, second)["note"], shown(fresh_tenant, second)["state"]) == ("last", None)
    assert failures(fresh_tenant) == {"shop.broken": 2}


def test_hooks_have_the_installers_rights_and_no_more(fresh_tenant: TenantRef, tmp_path: Path) -> None:
    """Who installed the module has left: its hooks may do nothing any more."""
    installed(fresh_tenant, tmp_path, CHAIN)
    with tenant_scope(fresh_tenant):
        gone = Actor(
            kind="member", id="gone", label="Gone", tenant_id=fresh_tenant.id, user_id=fresh_tenant.id
        )
        install.Installation.objects.update(installer=gone.as_dict())
        install.clock.bump(fresh_tenant.id)
    made = order(fresh_tenant)
    deliver()
    assert shown(fresh_tenant, made)["note"] is None
    assert failures(fresh_tenant) == {"shop.broken": 1, "shop.first": 1, "shop.last": 1, "shop.welcome": 1}


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("events: [{name: order.created, summary: No}]", "invalid_name"),
        ("events: [{name: Order, summary: No}]", "invalid_name"),
        ("events: [{name: order.won, summary: No, schema: {requird: []}}]", "invalid_value"),
        ("events: [{name: order.won, summary: No, more: 1}]", "unknown_key"),
        ("events: [{name: order.won}]", "required"),
        ("hooks: [{name: a, on: x.y, do: [{call: http}]}]", "unknown_key"),
        ("hooks: [{name: a, on: x.y, do: [{set: {a: 1}, emit: x.y}]}]", "invalid_shape"),
        ("hooks: [{name: a, on: x.y, do: [{emit: 'x.*'}]}]", "invalid_name"),
        ("hooks: [{name: a, on: x.y, when: {cel: 'true'}, do: [{set: {a: 1}}]}]", "unknown_key"),
        ("hooks: [{name: a, on: x.y, priority: high, do: []}]", "invalid_type"),
        ("hooks: [{name: a, do: []}]", "required"),
    ],
)
def test_what_nothing_enforces_is_refused(tmp_path: Path, extra: str, code: str) -> None:
    with pytest.raises(DefinitionErrors) as caught:
        load(written(tmp_path, extra + "\n"))
    assert code in {error.code for error in caught.value.errors}


def test_content_about_events_needs_its_permission(tmp_path: Path) -> None:
    home = written(tmp_path, EVENTS + HOOKS)
    text = (home / "module.yaml").read_text().replace(", events:define, hooks:define", "")
    (home / "module.yaml").write_text(text)
    with pytest.raises(DefinitionErrors) as caught:
        load(home)
    assert [error.code for error in caught.value.errors] == ["permission", "permission"]
