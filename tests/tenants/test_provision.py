"""Opening a tenant: all of it or nothing, and the same tables migrations would have made."""

from collections.abc import Iterator

import pytest
from django.db import connections

from apps.core.actor import SYSTEM, Actor
from apps.core.errors import Conflict, Invalid, PermissionDenied
from apps.core.scope import TenantRef, platform_scope
from apps.tenants import lifecycle, provision
from apps.tenants.models import Tenant
from apps.tenants.provision import Order, Step, build, create_tenant, order
from apps.tenants.schemas import TEMPLATE, describe
from apps.tenants.states import MOVES, State


def schemas() -> set[str]:
    with connections["default"].raw_cursor() as cursor:
        return {row[0] for row in cursor.execute("SELECT nspname FROM pg_namespace").fetchall()}


def test_a_replayed_schema_equals_the_migrated_template(fresh_tenant: TenantRef) -> None:
    with platform_scope("test"):
        template, made = describe(TEMPLATE), describe(fresh_tenant.schema)
    renamed = [text.replace(fresh_tenant.schema, TEMPLATE) for text in made]
    assert sorted(renamed) == sorted(text.replace(f'"{TEMPLATE}"', f'"{TEMPLATE}"') for text in template)


@pytest.fixture
def broken_step() -> Iterator[list[str]]:
    """A step that fails until it is mended."""
    faults = ["out of order"]

    def run(tenant: Tenant, seed: object, by: Actor) -> None:
        if faults:
            raise RuntimeError(faults[0])

    provision.steps.register("zz-broken", Step("Break", run))
    yield faults
    del provision.steps._values["zz-broken"]


def test_a_failure_leaves_nothing_and_can_be_retried(acme: TenantRef, broken_step: list[str]) -> None:
    wanted = Order(slug="unlucky", name="Unlucky")
    with pytest.raises(RuntimeError, match="out of order"):
        create_tenant(by=SYSTEM, wanted=wanted, default_host="unlucky.localhost")
    assert "t_unlucky" not in schemas()
    with platform_scope("test"):
        tenant = Tenant.objects.get(slug="unlucky")
        assert (tenant.state, "out of order" in tenant.state_reason) == (State.FAILED, True)
        lifecycle.move(tenant_id=tenant.id, to=State.PROVISIONING, by=SYSTEM, reason="retry")
    broken_step.clear()
    build(slug="unlucky", seed={}, by=SYSTEM)
    assert "t_unlucky" in schemas()
    with platform_scope("test"):
        assert Tenant.objects.get(slug="unlucky").state == State.ACTIVE


@pytest.mark.parametrize("slug", ["Public", "public", "a b", "x" * 41, "-x", "x-", 'a"b', "1a", ""])
def test_a_bad_slug_is_refused(platform: object, slug: str) -> None:
    with pytest.raises(Invalid) as caught:
        order(by=SYSTEM, wanted=Order(slug=slug, name="X"), default_host="x.localhost")
    assert {item.field for item in caught.value.fields} >= {"slug"}


def test_a_taken_host_is_refused(platform: object) -> None:
    with pytest.raises(Invalid) as caught:
        order(by=SYSTEM, wanted=Order(slug="thief", name="X", host="acme.localhost"), default_host="")
    assert [item.field for item in caught.value.fields] == ["host"]


def test_members_do_not_open_tenants(platform: object) -> None:
    member = Actor(kind="member", id="x", label="x")
    with pytest.raises(PermissionDenied):
        order(by=member, wanted=Order(slug="mine", name="X"), default_host="mine.localhost")


@pytest.mark.parametrize("start", list(State))
@pytest.mark.parametrize("to", list(State))
def test_only_the_table_s_moves_are_made(platform: object, acme: TenantRef, start: State, to: State) -> None:
    Tenant.objects.filter(pk=acme.id).update(state=start)
    if to in MOVES[start]:
        assert lifecycle.move(tenant_id=acme.id, to=to, by=SYSTEM, reason="why").state == to
    else:
        with pytest.raises(Conflict):
            lifecycle.move(tenant_id=acme.id, to=to, by=SYSTEM, reason="why")


def test_suspending_needs_a_reason(platform: object, acme: TenantRef) -> None:
    with pytest.raises(Conflict, match="why"):
        lifecycle.move(tenant_id=acme.id, to=State.SUSPENDED, by=SYSTEM)
