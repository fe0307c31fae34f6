"""The recording's scene of two people, on a tenant into which the very same artifact was installed.

The owner and a sales person sign in, see what they may, share, install packages, ask for figures. What differs
on purpose stands in `DIFFERENT`, with the reason; what is not built yet in `WAITING`.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from apps.core.actor import SYSTEM, Actor
from apps.core.db.owner import owner_session
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.api.conftest import caller
from tests.api.replay.left import left
from tests.api.replay.playing import Allowed, Replay
from tests.api.test_replay import IGNORED

HERE = Path(__file__).parent / "replay"
ARTIFACT = Path(__file__).parents[1] / "data" / "objectstack" / "objectstack.json"
EXCHANGES = json.loads((HERE / "people.json").read_text("utf-8"))
OWNER, SALES, ORGANIZATION = (
    "AKTFEMFWhx67RTEEVCtdwZ68r3wKkm8n",
    "wtn98MyOXNxPLP40xtX8yGC9dqrVOom9",
    "org_mwozus3bf7syseer",
)
LEAD, OPPORTUNITY, ACCOUNT = "M4E9ElPu7kMPr7cA", "VA5v_aXWNliNzQhg", "F2x_f49lkipbFmEb"
PASSWORDS = {"admin@objectos.ai": "admin123", "sales@example.com": "sales12345"}
HERE_ONLY = ("messages", "apps", "dashboards", "pages", "metadataForms", "settingsCommon", "settings")
UNALIKE: dict[int, tuple[str, ...]] = {
    2: ("routes", "services", "description"),  # only what is served is advertised
    3: ("routes", "services", "description"),
    # of one tenant, one database, no phones and no cloud
    4: (
        "tenancyPosture",
        "degradedTenancy",
        "ssoEnforced",
        "phoneNumberOtp",
        "termsUrl",
        "privacyUrl",
        "devSeedAdmin",
    ),
    21: ("primaryColor", "_provenance", "_lock", "_lockReason", "_lockDocsUrl", "_lockSource"),
    220: HERE_ONLY,  # the platform's own words are in its pages
    222: ("description", "reason"),  # of the system's own fields; here a formula can be sorted by
    233: ("crm_opportunity.count",),  # a number; the reference sends "3"
    237: ("objects",),
    # the declarations are behind /export
    238: (
        *("defaultDatasource", "engines", "manifest", "translations", "i18n", "objects", "flows", "jobs"),
        *("permissions", "hooks", "functions", "requires", "plugins", "api"),
    ),
    247: ("registryRemoved", "persisted"),  # one transaction: it is removed or it is not
}
DIFFERENT: dict[int, tuple[int, str | None, str]] = {
    241: (501, "NOT_IMPLEMENTED", "a package is removed, not switched off"),
    242: (501, "NOT_IMPLEMENTED", "a package is removed, not switched off"),
    243: (404, "RESOURCE_NOT_FOUND", "a version is content: it must have been brought before"),
}
WAITING: dict[int, str] = {
    22: "tables of the platform are not objects under /data yet; permission sets have /meta/permission",
    23: "the same; sets are assigned in the settings",
    176: "rights are handed out by whoever holds manage_permissions, within their own; there are no scopes of it",
    177: "a package's default sets are named by its notices; an administrator assigns them",
    245: "versions of a package are its commits; they have no list yet",
    246: "drafts belong to objects, not to packages",
    286: "tables of the platform are not objects under /data yet; the ledger has /ledger and its pages",
}


@pytest.fixture(scope="module")
def scene(database: Any) -> Replay:
    """A tenant with the artifact, its two people and the records that the scene finds."""
    from apps.identity.models import Membership, User
    from apps.modules import packages
    from apps.permissions.services import assign
    from apps.tenants.provision import Order, create_tenant

    made = create_tenant(by=SYSTEM, wanted=Order(slug="scene", name="Scene"), default_host="scene.localhost")
    ref = TenantRef(made.id, made.slug, made.schema_name)
    actors = {}
    with platform_scope("test"):
        for email, role in (("admin@objectos.ai", "owner"), ("sales@example.com", "member")):
            user = User(email=email, name=email.split("@")[0].title())
            user.set_password(PASSWORDS[email])
            user.save()
            Membership.objects.create(tenant_id=ref.id, user=user, role=role)
            actors[role] = Actor(
                kind="member", id=str(user.id), label=user.name, tenant_id=ref.id, user_id=user.id, role=role
            )
    with owner_session(), tenant_scope(ref):
        packages.bring(packages.read(ARTIFACT), by=SYSTEM)
    with tenant_scope(ref):
        assign(user_id=actors["member"].user_id, name="crm_sales", by=SYSTEM)
        assign(user_id=actors["owner"].user_id, name="crm_export", by=SYSTEM)
    ours = {ORGANIZATION: str(ref.id), OWNER: actors["owner"].id, SALES: actors["member"].id}
    ours |= records_of(ref, actors["owner"])
    callers = {"nobody": caller("scene")}
    for name, email in (("owner", "admin@objectos.ai"), ("sales", "sales@example.com")):
        body = {"email": email, "password": PASSWORDS[email]}
        answer = callers["nobody"].post("/api/v1/auth/sign-in/email", body)
        assert answer.status_code == 200, answer.content
        callers[name] = caller("scene", HTTP_AUTHORIZATION=f"Bearer {answer.json()['token']}")
    return Replay(callers, ours, {}, Allowed(IGNORED, UNALIKE, DIFFERENT))


def records_of(ref: TenantRef, by: Actor) -> dict[str, str]:
    """Create what earlier exchanges of the recording left behind."""
    from apps.objects import records

    with tenant_scope(ref):
        account = records.create("crm_account", {"name": "Acme"}, by=by).id
        lead = records.create("crm_lead", {"name": "Lead", "region": "west"}, by=by).id
        made = [
            records.create(
                "crm_opportunity",
                {"name": region, "account": account, "amount": 6000, "region": region},
                by=by,
            ).id
            for region in ("west", "east")
        ]
    return {ACCOUNT: account, LEAD: lead, OPPORTUNITY: made[0]}


@pytest.mark.usefixtures("api")
def test_the_scene_is_answered_alike(scene: Replay) -> None:
    faults = []
    for exchange in EXCHANGES:
        if exchange["n"] not in WAITING:
            faults += [f"[{exchange['n']}] {exchange['call']}: {fault}" for fault in scene.play(exchange)]
    assert not faults, "\n".join(faults)


def test_every_exchange_of_the_recording_is_accounted_for() -> None:
    """Played in one of the two scenes, or left with a written reason; none is both or neither."""
    first = {exchange["n"] for exchange in json.loads((HERE / "exchanges.json").read_text("utf-8"))}
    second = {exchange["n"] for exchange in EXCHANGES}
    resting = list(left())
    assert sorted({*first, *second, *resting}) == list(range(1, 289))
    assert not set(resting) & (first | second)
    assert len(resting) == len(set(resting))
