"""Reports and dashboards: figures equal to the query's, never more than the reader may see, kept and shared."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import translation

from apps.audit import queries as ledger
from apps.core.errors import Problem
from apps.core.scope import tenant_scope
from apps.objects import query
from apps.objects.catalog import catalog
from apps.permissions.access import access_for
from apps.portal.reports import charts, periods, suggest
from apps.portal.reports import spec as specs
from apps.portal.reports.run import Outcome, run
from tests.portal.atelier import Atelier

pytestmark = pytest.mark.urls("config.urls_tenant")
BY_STAGE = "?object=crm_opportunity&g=stage&m=sum%3Aamount&m=count&chart=bar"
CROSSED = "?object=crm_opportunity&g=close_date%3Amonth&g=stage&m=sum%3Aamount&chart=column"


def asked(atelier: Atelier, text: str, by: str = "owner", object_name: str = "crm_opportunity") -> Outcome:
    """Return the answer to a report as a member gets it."""
    with tenant_scope(atelier.ref):
        definition, actor = catalog().object(object_name), atelier.actor(by)
        spec = specs.read(QueryDict(text.lstrip("?")), definition, access_for(actor).clear(definition))
        specs.require_clear(spec)
        return run(spec, definition, by=actor)


def summed(atelier: Atelier, by: str, **where: Any) -> Decimal:
    """Return the same figure, added up in Python from the records themselves."""
    rows = atelier.rows("crm_opportunity", {"where": where, "limit": 1000}, by)
    return sum((Decimal(str(row["amount"] or 0)) for row in rows), Decimal(0))


@pytest.mark.parametrize("by", ["owner", "sales"])
def test_figures_are_those_of_the_records_the_reader_sees(atelier: Atelier, by: str) -> None:
    outcome = asked(atelier, BY_STAGE, by)
    assert outcome.categories, "nothing to compare"
    for n, category in enumerate(outcome.categories):
        assert outcome.series[0].figures[n].value == summed(atelier, by, stage=category.key)
    assert outcome.totals[0].value == summed(atelier, by)


def test_two_people_see_two_answers(atelier: Atelier) -> None:
    """Control for the rights: the same question, fewer records."""
    whole, part = asked(atelier, BY_STAGE).totals[1], asked(atelier, BY_STAGE, "sales").totals[1]
    assert Decimal(0) < part.value < whole.value  # type: ignore[operator]


def test_a_report_on_a_hidden_field_is_refused_whole(atelier: Atelier) -> None:
    path = "/reports/new?object=crm_opportunity&g=stage&m=sum%3Acost"
    assert atelier.client("manager").get(path).status_code == 200, "the control"
    for part in ("g=stage&m=sum%3Acost", "g=cost&m=count", "g=stage&f=0.cost.gt.1"):
        answer = atelier.client("sales").get(f"/reports/new?object=crm_opportunity&{part}")
        assert answer.status_code == 403, part
    offered = atelier.client("sales").get("/reports/new?object=crm_opportunity").content.decode()
    assert "Cost" not in offered and "Sum of Amount" in offered


def test_two_groups_make_a_table_with_a_column_for_each(atelier: Atelier) -> None:
    outcome = asked(atelier, CROSSED)
    months = [category.key for category in outcome.categories]
    assert months == sorted(months) and len(months) == len(set(months))
    rows = atelier.rows("crm_opportunity", {"limit": 1000})
    for series, stage in zip(
        outcome.series, ("discovery", "proposal", "negotiation", "won", "lost"), strict=True
    ):
        for month, figure in zip(months, series.figures, strict=True):
            mine = [r for r in rows if r["stage"] == stage and r["close_date"].startswith(month)]
            assert figure.value == sum((Decimal(str(r["amount"] or 0)) for r in mine), Decimal(0))


def test_a_figure_leads_to_its_records(atelier: Atelier) -> None:
    client, outcome = atelier.client("owner"), asked(atelier, CROSSED + "&f=0.amount.gt.30000")
    figures = [f for s in outcome.series for f in s.figures if f.href]
    assert figures
    for figure in figures[:4]:
        shown = client.get(figure.href + "&size=200").content.decode()
        want = re.findall(r'data-label="Amount"[^>]*><span[^>]*>€([\d,.]+)<', shown)
        assert sum((Decimal(text.replace(",", "")) for text in want), Decimal(0)) == figure.value


@pytest.mark.parametrize("chart", list(specs.CHARTS))
@pytest.mark.parametrize(
    "groups", ["", "&g=stage", "&g=close_date%3Aweek&g=owner_id", "&g=account", "&g=kind"]
)
def test_every_chart_of_every_question_is_drawn(atelier: Atelier, chart: str, groups: str) -> None:
    text = f"?object=crm_opportunity{groups}&m=sum%3Aamount&m=avg%3Aprobability&chart={chart}&order=value"
    outcome = asked(atelier, text)
    for language in ("en", "ar"):
        with translation.override(language):
            picture = charts.draw(outcome)
            assert ("<svg" in picture) == (chart in charts.DRAWN and bool(groups))
            assert "nan" not in picture.lower() and "style=" not in picture
    page = atelier.client("owner").get(f"/reports/new{text}")
    assert page.status_code == 200


def test_charts_escape_what_records_say(atelier: Atelier) -> None:
    client = atelier.client("owner")
    made = client.post(
        "/o/crm_account/new", {"name": "<script>alert(1)</script>", "account_type": "prospect"}
    )
    assert made.status_code == 302
    outcome = asked(
        atelier, "?object=crm_account&g=name&m=count&chart=bar&order=value", object_name="crm_account"
    )
    assert "<script" not in charts.draw(outcome)
    page = client.get("/reports/new?object=crm_account&g=name&m=count&chart=bar").content.decode()
    assert "<script>alert" not in page


def test_an_axis_is_round_and_holds_its_values() -> None:
    for values in ([3.0], [0.0], [-5.0, 12.0], [999_999.0], [0.004, 0.001], [7.0] * 50):
        axis = charts.scale(values)
        assert axis.low <= min([0.0, *values]) and axis.high >= max(values)
        assert 2 <= len(axis.ticks) <= 8 and 0 in [round(tick, 9) for tick in axis.ticks]


def test_periods_are_named_as_the_query_names_them_and_without_gaps() -> None:
    assert periods.without_gaps(["2026-11", "2027-02"], "month") == [
        "2026-11",
        "2026-12",
        "2027-01",
        "2027-02",
    ]
    assert periods.without_gaps(["2026-W52", "2027-W01"], "week") == ["2026-W52", "2026-W53", "2027-W01"]
    assert periods.without_gaps(["2026-Q4", "2026-Q2"], "quarter") == ["2026-Q2", "2026-Q3", "2026-Q4"]
    assert len(periods.without_gaps(["1999-01-01", "2026-01-01"], "day")) == 2, "too many stay as they are"
    for bucket, name in (("day", "2026-02-28"), ("week", "2026-W53"), ("month", "2024-02"), ("quarter", "2026-Q3"), ("year", "2026")):  # fmt: skip
        assert periods.name(periods.start(name), bucket) == name
        assert periods.name(periods.end(name, bucket), bucket) == name


def test_a_report_is_kept_shared_changed_and_deleted(atelier: Atelier) -> None:
    manager, sales = atelier.client("manager"), atelier.client("sales")
    made = manager.post("/reports/save", {"name": "Stages", "query": BY_STAGE, "shared": "1"})
    key = made["Location"].rsplit("/", 1)[-1]
    assert "Stages" in sales.get("/reports").content.decode()
    assert sales.get(f"/reports/{key}").status_code == 200
    assert sales.post(f"/reports/{key}/delete").status_code == 403
    assert sales.post("/reports/save", {"name": "X", "query": BY_STAGE, "report": key}).status_code == 403
    assert manager.post("/reports/save", {"name": "Stages", "query": BY_STAGE}).status_code == 409
    changed = manager.post("/reports/save", {"name": "Stages 2", "query": BY_STAGE, "report": key})
    assert changed["Location"].endswith(key)
    assert sales.get(f"/reports/{key}").status_code == 404, "no longer shared"
    assert manager.post(f"/reports/{key}/delete").status_code == 302
    with tenant_scope(atelier.ref):
        told = [entry.action for entry in ledger.history(f"report:{key}")]
    assert sorted(told) == ["report.deleted", "report.saved", "report.saved"]


def test_a_shared_report_tells_nobody_more_than_they_may_see(atelier: Atelier) -> None:
    made = atelier.client("manager").post(
        "/reports/save",
        {"name": "Costs", "query": "?object=crm_opportunity&g=stage&m=sum%3Acost", "shared": "1"},
    )
    key = made["Location"].rsplit("/", 1)[-1]
    assert atelier.client("sales").get(f"/reports/{key}").status_code == 403
    assert atelier.client("nobody").get(f"/reports/{key}").status_code == 403
    assert "Costs" not in atelier.client("nobody").get("/reports").content.decode()
    board = atelier.client("manager").post(
        "/dashboards/new", {"name": "Shared costs", "start": "-", "shared": "1"}
    )
    path = board["Location"].split("?")[0]
    added = {"action": "add", "what": f"report:{key}", "size": "2"}
    assert atelier.client("manager").post(f"{path}/do", added).status_code == 302
    assert "not visible to you" in atelier.client("sales").get(path).content.decode()
    assert "not visible to you" not in atelier.client("manager").get(path).content.decode()


def test_the_table_as_a_file(atelier: Atelier) -> None:
    answer = atelier.client("manager").get(f"/reports/table.csv{BY_STAGE}")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0] == "Stage,Sum of Amount,Number of records" and lines[1].startswith("Discovery,")
    assert atelier.client("reader").get(f"/reports/table.csv{BY_STAGE}").status_code == 403


def test_a_dashboard_starts_with_what_a_module_suggests(atelier: Atelier) -> None:
    client = atelier.client("admin")
    made = client.post("/dashboards/new", {"name": "Glance", "start": "crm"})
    text = client.get(made["Location"]).content.decode()
    assert text.count("<svg") >= 4 and text.count('class="ab-big"') >= 3
    assert client.get("/dashboards").status_code == 302


def test_a_dashboard_is_arranged_by_its_owner_alone(atelier: Atelier) -> None:
    client = atelier.client("manager")
    made = client.post("/dashboards/new", {"name": "Mine", "start": "-"})
    path = made["Location"].split("?")[0]
    act = path + "/do"
    for name in ("crm_lead", "crm_account"):
        assert client.post(act, {"action": "add", "what": f"list:{name}", "size": "2"}).status_code == 302

    def order() -> list[str]:
        return re.findall(r'id="w-([0-9a-f-]+)"', client.get(path).content.decode())

    first, second = order()
    client.post(act, {"widget": first, "to": "later"})
    assert order() == [second, first]
    client.post(act, {"widget": first, "action": "resize", "size": "4"})
    assert "ab-span-4" in client.get(path).content.decode()
    client.post(act, {"widget": second, "action": "remove"})
    assert order() == [first]
    for wrong in ({"action": "add", "what": "report:x"}, {"action": "add", "what": "list:ghost"}, {"widget": "x", "action": "remove"}, {"widget": first, "action": "resize", "size": "9"}, {"widget": first, "action": "paint"}):  # fmt: skip
        assert client.post(act, wrong).status_code in (400, 404), wrong
    assert atelier.client("sales").get(path).status_code == 404
    client.post(act, {"action": "rename", "name": "Ours", "shared": "1"})
    assert atelier.client("sales").get(path).status_code == 200
    assert atelier.client("sales").post(act, {"widget": first, "action": "remove"}).status_code == 403
    assert client.post(f"{path}/delete").status_code == 302 and client.get(path).status_code == 404


def test_each_widget_asks_once(atelier: Atelier, monkeypatch: pytest.MonkeyPatch) -> None:
    made = atelier.client("owner").post("/dashboards/new", {"name": "Counted", "start": "-"})
    path = made["Location"].split("?")[0]
    for query_text in (BY_STAGE, CROSSED):
        kept = atelier.client("owner").post("/reports/save", {"name": query_text[-6:], "query": query_text})
        key = kept["Location"].rsplit("/", 1)[-1]
        atelier.client("owner").post(f"{path}/do", {"action": "add", "what": f"report:{key}", "size": "2"})
    calls: list[str] = []
    real = query.find

    def counted(name: str, *args: Any, **more: Any) -> Any:
        calls.append(name)
        return real(name, *args, **more)

    monkeypatch.setattr(query, "find", counted)
    atelier.client("owner").get(path)
    assert calls == ["crm_opportunity", "crm_opportunity"]


def test_suggestions_use_only_what_may_be_seen(atelier: Atelier) -> None:
    with tenant_scope(atelier.ref):
        definition = catalog().object("crm_opportunity")
        clear = access_for(atelier.actor("sales")).clear(definition)
        for made in suggest.of(definition, clear - {"amount", "stage"}):
            used = {g.field for g in made.spec.groups} | {m.field for m in made.spec.measures}
            assert not used & {"amount", "stage"}
        with pytest.raises(Problem):
            catalog().object("nothing")
