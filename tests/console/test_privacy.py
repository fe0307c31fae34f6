"""Privacy from the console: a person erased everywhere by the typed name, holds, and how long a ledger keeps."""

import os
from typing import Any

import pytest
from django.test import Client

from apps.audit.privacy import holds, retention
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.identity.models import User
from apps.identity.services import members
from tests.console.conftest import change_page, deed_page
from tests.people import People


@pytest.fixture
def acme(people: People) -> TenantRef:
    return people.tenants["acme"]


def test_a_person_is_erased_by_the_typed_name(superuser: Client, acme: TenantRef, entries: Any) -> None:
    with tenant_scope(acme):
        email = f"gone-{os.urandom(4).hex()}@acme.test"
        made = members.create_member(email=email, name="Gerd Gone", password=People.password, by=SYSTEM)
    page = deed_page("identity/user", made.user_id, "erase")
    text = superuser.get(page).content.decode()
    assert "Erase Gerd Gone for good?" in text
    assert "The person leaves 1 tenant." in text
    wrong = superuser.post(page, {"typed": "Gerd", "reason": "asked"})
    assert wrong.status_code == 200
    done = superuser.post(page, {"typed": "Gerd Gone", "reason": "asked"})
    assert done.status_code == 302, done.content.decode()[-2000:]
    with platform_scope("test"):
        user = User.objects.get(pk=made.user_id)
    assert (user.email, user.name, user.is_active) == (f"erased-{user.pk}@invalid", "", False)
    assert {"user.erased", "subject.erased"} <= {e.action for e in entries(target=f"user:{user.pk}")}
    assert "/do/erase/" not in superuser.get(change_page("identity/user", user.pk)).content.decode()


def test_a_hold_stops_the_erasure_of_a_person(superuser: Client, acme: TenantRef) -> None:
    with tenant_scope(acme):
        email = f"held-{os.urandom(4).hex()}@acme.test"
        made = members.create_member(email=email, name="Hans Held", password=People.password, by=SYSTEM)
    placed = superuser.post(
        deed_page("tenants/tenant", acme.id, "hold"),
        {"subject": f"user:{made.user_id}", "reason": "case 17"},
    )
    assert placed.status_code == 302, placed.content.decode()[-2000:]
    refused = superuser.post(
        deed_page("identity/user", made.user_id, "erase"), {"typed": "Hans Held", "reason": "asked"}
    )
    assert refused.status_code in (200, 409)
    assert "legal hold" in refused.content.decode()
    with tenant_scope(acme):
        (hold,) = holds.standing()
    text = superuser.get(deed_page("tenants/tenant", acme.id, "release")).content.decode()
    assert "case 17" in text
    released = superuser.post(
        deed_page("tenants/tenant", acme.id, "release"), {"hold": str(hold.pk), "reason": "closed"}
    )
    assert released.status_code == 302
    with tenant_scope(acme):
        assert holds.standing() == []
    assert superuser.get(deed_page("tenants/tenant", acme.id, "release")).status_code in (200, 409)


def test_how_long_a_ledger_keeps(superuser: Client, acme: TenantRef) -> None:
    page = deed_page("tenants/tenant", acme.id, "keep")
    assert superuser.post(page, {"days": "365"}).status_code == 302
    with tenant_scope(acme):
        assert retention.policy().days == 365
    assert superuser.post(page, {"days": "7"}).status_code == 200, "not one of the choices"
    assert superuser.post(page, {"days": ""}).status_code == 302
    with tenant_scope(acme):
        assert retention.policy().days is None


def test_an_operator_without_the_tenant_does_nothing_of_it(scoped: Client, people: People) -> None:
    globex = people.tenants["globex"]
    for deed in ("hold", "release", "keep"):
        assert scoped.post(deed_page("tenants/tenant", globex.id, deed), {"reason": "x"}).status_code == 404
    assert scoped.post(
        deed_page("identity/user", people.actor("sales", "acme").user_id, "erase")
    ).status_code in (
        403,
        404,
    )
