"""Nothing crosses into the next tenant: 0 canaries, nothing of it changed, foreign equals absent."""

import uuid
from dataclasses import replace

import pytest
from django.core.cache import cache

from tests.journeys.isolation import CANARY, Attacker, Side, digest, make_side, normal, sweep

URLS = "config.urls_tenant"


@pytest.fixture(scope="module")
def mine(database: object, django_db_blocker: object) -> Side:
    """The attacker's tenant."""
    return make_side("matrix-a", "ordinary")


@pytest.fixture(scope="module")
def theirs(database: object, django_db_blocker: object) -> Side:
    """The target: every text of it carries the canary."""
    return make_side("matrix-b", CANARY)


@pytest.fixture(autouse=True)
def no_limits(settings: object) -> None:
    settings.RATE_LIMIT_USER = settings.RATE_LIMIT_IP = "1000000/m"  # type: ignore[attr-defined]
    cache.clear()


def attackers(mine: Side, theirs: Side) -> dict[str, Attacker]:
    return {
        "own host, foreign ids": Attacker(mine, mine.host, "both"),
        "own key and session on the foreign host": Attacker(mine, theirs.host, "both"),
        "own key, foreign X-Tenant on the platform's host": Attacker(
            mine, "localhost", "key", {"HTTP_X_TENANT": theirs.ref.slug}
        ),
        "own host, foreign X-Tenant": Attacker(mine, mine.host, "both", {"HTTP_X_TENANT": theirs.ref.slug}),
        "own host, forwarded foreign host": Attacker(
            mine, mine.host, "both", {"HTTP_X_FORWARDED_HOST": theirs.host}
        ),
        "nobody on the foreign host": Attacker(mine, theirs.host, "none"),
    }


# Before anybody signs in a tenant's own host shows its name; that is no leak to whoever knows the host.
def leaks(answer: object, theirs: Side, attacker: Attacker) -> bool:
    text = answer.text.lower()  # type: ignore[attr-defined]
    if attacker.host == theirs.host:
        text = text.replace(f"{CANARY} limited", "")
    return CANARY in text


CASES = (
    "own host, foreign ids",
    "own key and session on the foreign host",
    "own key, foreign X-Tenant on the platform's host",
    "own host, foreign X-Tenant",
    "own host, forwarded foreign host",
    "nobody on the foreign host",
)


@pytest.mark.parametrize("case", CASES)
def test_nothing_crosses(case: str, mine: Side, theirs: Side, superuser_url: str) -> None:
    attacker = attackers(mine, theirs)[case]
    before = digest(theirs.ref, superuser_url)
    module = "config.urls_platform" if attacker.host == "localhost" else URLS
    answers = (
        list(sweep(attacker, theirs, module))
        if module == URLS
        else [item for item in sweep(attacker, theirs, URLS) if item.path.startswith("/api")]
    )
    assert len(answers) > 300
    assert [f"{item.method} {item.path}" for item in answers if leaks(item, theirs, attacker)] == []
    assert [f"{item.method} {item.path} {item.status}" for item in answers if item.status >= 500] == []
    own = Attacker(mine, mine.host, "key").send("GET", f"/api/v1/data/crm_lead/{mine.ids['crm_lead']}", None)
    assert own.status == 200, "the attacker lost its own credentials, so the sweep proved nothing"
    after = digest(theirs.ref, superuser_url)
    assert {name for name in before if before[name] != after[name]} <= {f'"{theirs.ref.schema}".audit_entry'}


def test_a_foreign_id_looks_like_an_absent_one(mine: Side, theirs: Side) -> None:
    absent = replace(theirs, ids={name: str(uuid.uuid4()) for name in theirs.ids})
    attacker = Attacker(mine, mine.host, "key")
    foreign_answers = [item for item in sweep(attacker, theirs, URLS) if item.path.startswith("/api/v1/data")]
    absent_answers = [item for item in sweep(attacker, absent, URLS) if item.path.startswith("/api/v1/data")]
    different = [
        f"{a.method} {a.path}: {a.status} {b.status}"
        for a, b in zip(foreign_answers, absent_answers, strict=True)
        if a.status != b.status or (a.status >= 400 and normal(a.text) != normal(b.text))
    ]
    assert different == []


def test_the_rightful_member_does_see_them(mine: Side, theirs: Side) -> None:
    """Negative control: the same sweep by the target's own owner finds canaries on many routes."""
    attacker = Attacker(theirs, theirs.host, "both")
    found = {item.path for item in sweep(attacker, theirs, URLS, ("GET",)) if leaks(item, theirs, attacker)}
    assert len([path for path in found if path.startswith("/api/v1/data")]) >= 5
    assert len([path for path in found if path.startswith(("/o/", "/settings"))]) >= 5


def test_a_build_without_its_checks_leaks(mine: Side, theirs: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with the comparison of host, credential and membership taken out, the matrix turns red."""
    from apps.identity import resolve

    real = resolve.identify_at

    def careless(place: object, shown: object) -> object:
        with monkeypatch.context() as patch:
            patch.setattr(resolve, "identify_at", real)
            found = real(replace(place, tenant=None, named=None, host=mine.host), shown)
        actor = replace(
            found.actor, tenant_id=theirs.ref.id, user_id=theirs.actor.user_id, kind="member", role="owner"
        )
        return replace(found, tenant=theirs.ref, actor=actor)

    monkeypatch.setattr(resolve, "identify_at", careless)
    attacker = Attacker(mine, theirs.host, "key")
    answers = [attacker.send("GET", f"/api/v1/data/crm_account/{theirs.ids['crm_account']}", None)]
    assert any(leaks(item, theirs, attacker) for item in answers)
