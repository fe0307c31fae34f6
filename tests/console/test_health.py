"""Health in the console: history, alerts and what operators of single tenants see of them."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone

from apps.console.pages.health import LABELS
from apps.console.sparks import amount, draw
from apps.core.scope import TenantRef, platform_scope
from apps.events.health import alerts, healing, probe, processes
from apps.events.health.history import HOUR, WEEK, Point, of_checks
from apps.events.models import Alert, CheckMinute, CheckState, Process
from tests.people import People


@pytest.fixture(autouse=True)
def nothing_is_known(people: People) -> None:
    with platform_scope("test"):
        for model in (Alert, CheckState, CheckMinute, Process):
            model.objects.all().delete()


@pytest.fixture
def raised(acme: TenantRef, globex: TenantRef) -> Iterator[dict[str, str]]:
    """One alert of the platform and one each of acme and globex, by whose it is."""
    with platform_scope("test"):
        yield {
            name: str(
                alerts.raise_alert(
                    "ledger.tampered", subject=name, tenant_id=ref, message=f"The alert of {name}."
                )
            )
            for name, ref in (("platform", None), ("acme", acme.id), ("globex", globex.id))
        }


def page(client: Client, path: str = "/console/health/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_what_the_probe_kept_and_says_how_old_it_is(superuser: Client) -> None:
    assert "no probe has been running" in page(superuser), "nothing is kept yet: checked by the page itself"
    assert superuser.post("/console/health/").status_code == 302
    text = page(superuser)
    assert "by the regular probe" in text
    assert "Ledger lag" in text
    assert text.count('class="c-spark"') >= 15


def test_a_sparkline_says_in_words_what_it_draws() -> None:
    now = timezone.now()
    points = [
        Point(now, "ok", 1.0),
        Point(now, None, None),
        Point(now, "failed", 90.0),
        Point(now, "degraded", 4.0),
    ]
    drawn = draw(points, HOUR, "lag_seconds", LABELS)
    assert drawn.words == "Between 1.0 s and 90 s, last 4.0 s. Of 3 steps 1 failed and 1 were degraded."
    assert len(drawn.lines) == 2, "what was not probed is a gap"
    assert [mark.status for mark in drawn.marks] == ["ok", "unknown", "failed", "degraded"]
    assert [row[2] for row in drawn.rows] == ["degraded", "failed", "well"]
    assert draw([Point(now, None, None)], HOUR, "x", LABELS).words == "Nothing was probed in this time."


@pytest.mark.parametrize(
    ("value", "measure", "shown"),
    [
        (0.012, "", "12 ms"),
        (3, "lag_seconds", "3.0 s"),
        (600, "lag_seconds", "10 min"),
        (86_400 * 3, "age_seconds", "3 d"),
        (0.71, "used_ratio", "71 %"),
        (2048, "free_bytes", "2.0\xa0KB"),
        (12, "jobs", "12"),
        (None, "jobs", "\u2013"),
    ],
)
def test_figures_have_the_unit_of_their_name(value: float | None, measure: str, shown: str) -> None:
    assert amount(value, measure) == shown


def test_history_comes_in_equal_steps(people: People) -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    with platform_scope("test"):
        for minutes, worst in ((1, 0), (2, 2), (60 * 30, 1)):
            start = now - dt.timedelta(minutes=minutes)
            CheckMinute.objects.create(name="disk", start=start, worst=worst, message="", peak=worst)
        hour, week = of_checks(HOUR)["disk"], of_checks(WEEK)["disk"]
    assert (len(hour), len(week)) == (60, 84)
    assert sorted(point.status for point in hour if point.status) == ["failed", "ok"]
    assert "degraded" in {point.status for point in week}


def test_the_banner_is_on_every_page_until_acknowledged(superuser: Client, raised: dict[str, str]) -> None:
    for path in ("/console/", "/console/tenants/tenant/", "/console/health/"):
        assert "The alert of platform." in page(superuser, path)
    for name in raised.values():
        answer = superuser.post(f"/console/alerts/{name}/acknowledge/")
        assert answer["Location"] == "/console/health/"
    assert 'class="c-banner"' not in page(superuser, "/console/")
    listed = page(superuser)
    assert "The alert of platform." in listed
    assert "Olga Operator" in listed


def test_an_operator_of_one_tenant_sees_its_alerts_only(
    scoped: Client, superuser: Client, raised: dict[str, str]
) -> None:
    text = page(scoped)
    assert "The alert of acme." in text
    assert "The alert of globex." not in text
    assert "The alert of platform." not in text
    for name in ("globex", "platform"):
        assert scoped.post(f"/console/alerts/{raised[name]}/acknowledge/").status_code == 404
    assert scoped.post(f"/console/alerts/{raised['acme']}/acknowledge/").status_code == 302
    with platform_scope("test"):
        seen = dict(Alert.objects.values_list("subject", "operators_ack_by"))
    assert seen == {"acme": "Sam Scoped", "globex": "", "platform": ""}
    assert "The alert of globex." in page(superuser), "control"


def test_what_was_put_right_is_for_superusers(superuser: Client, scoped: Client) -> None:
    healing.healed("stuck_loop", "The relay stood still for 61 s.").result(30)
    assert "The relay stood still for 61 s." in page(superuser)
    assert "The relay stood still" not in page(scoped)


def test_processes_and_those_that_were_lost(superuser: Client) -> None:
    heart = processes.Heartbeat(processes.WORKER, lambda: {"slots": 2})
    heart.beat()
    assert "2 places" in page(superuser)
    with platform_scope("test"):
        Process.objects.update(lost_at=timezone.now())
    assert '<span class="c-badge c-danger">lost</span>' in page(superuser)


def test_integrity_is_verified_from_its_page(superuser: Client, scoped: Client, acme: TenantRef) -> None:
    answer = superuser.post("/console/integrity/", {"book": "acme"})
    assert answer["Location"] == "/console/integrity/?book=acme&verified=1"
    assert "entries hold" in page(superuser, answer["Location"])
    document = superuser.get("/console/integrity/?book=acme&format=json").json()
    assert (document["tenant"], document["status"]) == (str(acme.id), "holds")
    assert scoped.get("/console/integrity/?book=acme").status_code == 200
    assert [row["slug"] for row in scoped.get("/console/integrity/?book=acme").context["ledgers"]] == ["acme"]
    every = superuser.get("/console/integrity/").context["ledgers"]
    assert {row["slug"] for row in every} == {"platform", "acme", "globex"}
    assert every[-1]["key"] == "holds", "what needs somebody stands first"
    assert scoped.get("/console/integrity/?book=globex").status_code == 404
    assert scoped.get("/console/integrity/?book=platform&format=json").status_code == 403
    assert scoped.post("/console/integrity/", {"book": "globex"}).status_code == 404


def test_the_gate_of_the_sign_in_page_shows_no_alert(raised: dict[str, str]) -> None:
    assert "The alert of" not in Client(HTTP_HOST="localhost").get("/console/login/").content.decode()


def test_probing_keeps_a_state_for_each_check(superuser: Client) -> None:
    superuser.post("/console/health/")
    with platform_scope("test"):
        assert set(probe.remembered().findings) >= {"database", "disk", "workers"}  # type: ignore[union-attr]
