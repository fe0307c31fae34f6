"""Boards, calendars and galleries: what stands where, who may move it, and what a move does."""

import datetime as dt
import re

import pytest
from django.utils import timezone

from apps.audit import queries as ledger
from apps.core.errors import Invalid
from apps.core.scope import tenant_scope
from apps.objects.definitions import FieldDef
from apps.objects.describe import object_item
from apps.objects.parse import DefinitionErrors, load_yaml
from apps.portal.views import boards
from tests.portal.atelier import Atelier

BOARD = "?f=&as=board&by=stage&columns=account,amount,owner_id&sort=name"
MOVE = {"field": "stage", "back": BOARD}


def lanes(text: str) -> dict[str, list[str]]:
    """Return the ids of the cards by lane."""
    parts = re.split(r'<section class="ab-lane[^>]*data-lane="([^"]*)"', text)[1:]
    return {
        key: re.findall(r'data-card="([^"]*)"', body)
        for key, body in zip(parts[::2], parts[1::2], strict=True)
    }


def opportunity(atelier: Atelier, by: str = "sales", **values: str) -> str:
    """Return the id of a new opportunity of a member."""
    account = atelier.rows("crm_account", {"limit": 1}, by)[0]["id"]
    form = {"name": "Board probe", "account": account, "stage": "discovery", "close_date": "2031-05-14"}
    made = atelier.client(by).post("/o/crm_opportunity/new", form | values)
    assert made.status_code == 302, made.content.decode()[-1500:]
    return str(made["Location"].rsplit("/", 1)[-1])


def test_a_board_shows_each_record_in_its_lane(atelier: Atelier) -> None:
    found = lanes(atelier.client("owner").get(f"/o/crm_opportunity{BOARD}").content.decode())
    assert list(found) == ["discovery", "proposal", "negotiation", "won", "lost"]
    for stage, cards in found.items():
        want = atelier.rows("crm_opportunity", {"where": {"stage": stage}, "orderBy": ["name"], "limit": 20})
        assert cards == [row["id"] for row in want]


def test_a_board_keeps_rows_and_sums_to_who_may_see_them(atelier: Atelier) -> None:
    mine = atelier.rows("crm_opportunity", {"limit": 200}, "sales")
    text = atelier.client("sales").get(f"/o/crm_opportunity{BOARD}").content.decode()
    assert {key for cards in lanes(text).values() for key in cards} == {row["id"] for row in mine}
    counts = [int(n) for n in re.findall(r"Records: </span>(\d+)<", text)]
    assert sum(counts) == len(mine) < len(atelier.rows("crm_opportunity", {"limit": 200}))


def test_a_field_that_may_not_be_read_arranges_and_shows_nothing(atelier: Atelier) -> None:
    """Sales may not read `cost`; a manager may (the control)."""
    path = "/o/crm_opportunity?f=&as=board&by=stage&columns=cost"
    assert "Cost" not in atelier.client("sales").get(path).content.decode().split('id="list"')[1]
    assert "Cost: " in atelier.client("manager").get(path).content.decode()


def test_a_lane_goes_on_where_it_stopped(atelier: Atelier) -> None:
    for n in range(22):
        opportunity(atelier, "admin", name=f"Long lane {n:02}", stage="lost")
    path = "/o/crm_opportunity?f=0.name.starts.Long lane&as=board&by=stage&sort=name&columns=amount"
    client = atelier.client("admin")
    text = client.get(path).content.decode()
    more = re.search(r'hx-get="(/o/crm_opportunity/lane[^"]+)"', text)
    assert more is not None and len(lanes(text)["lost"]) == 20
    rest = client.get(more[1].replace("&amp;", "&")).content.decode()
    assert len(re.findall("data-card=", rest)) == 2 and "Show more" not in rest


def test_a_move_writes_one_entry_and_answers_with_both_lanes(atelier: Atelier) -> None:
    key = opportunity(atelier)
    client = atelier.client("sales")
    answer = client.post(f"/o/crm_opportunity/{key}/move", MOVE | {"value": "won"}, headers={"X-Board": "1"})
    found = lanes(answer.content.decode())
    assert answer.status_code == 200 and list(found) == ["discovery", "won"]
    assert key in found["won"] and key not in found["discovery"]
    with tenant_scope(atelier.ref):
        entries = ledger.history(f"crm_opportunity:{key}")
    assert [e.action for e in entries] == ["crm_opportunity.created", "crm_opportunity.updated"] or [
        e.action for e in entries
    ] == ["crm_opportunity.updated", "crm_opportunity.created"]
    plain = client.post(f"/o/crm_opportunity/{key}/move", MOVE | {"value": "lost"})
    assert plain.status_code == 302 and plain["Location"] == f"/o/crm_opportunity{BOARD}"


def test_what_may_not_be_moved_stays(atelier: Atelier) -> None:
    key = opportunity(atelier, "manager")
    path = f"/o/crm_opportunity/{key}/move"
    assert atelier.client("reader").post(path, MOVE | {"value": "won"}).status_code in (403, 404)
    assert atelier.client("sales").post(path, MOVE | {"value": "won"}).status_code in (403, 404)
    manager = atelier.client("manager")
    assert manager.post(path, MOVE | {"value": "nowhere"}).status_code == 400
    assert manager.post(path, MOVE | {"field": "name", "value": "Renamed"}).status_code == 400
    assert manager.post(path, MOVE | {"value": "won", "match": "77"}).status_code == 409
    row = atelier.rows("crm_opportunity", {"where": {"id": key}})[0]
    assert (row["stage"], row["version"]) == ("discovery", 1)
    assert manager.post(path, MOVE | {"value": "won", "match": "1"}).status_code == 302
    reader = atelier.client("reader").get(f"/o/crm_opportunity{BOARD}").content.decode()
    assert "data-card-menu" not in reader and 'draggable="true"' not in reader


def test_lanes_outside_the_filter_are_folded(atelier: Atelier) -> None:
    path = "/o/crm_opportunity?f=0.stage.nin.won,lost&as=board&by=stage"
    text = atelier.client("owner").get(path).content.decode()
    assert text.count("is-folded") == 2 and lanes(text)["won"] == []


def test_members_can_be_lanes(atelier: Atelier) -> None:
    text = atelier.client("owner").get("/o/crm_opportunity?f=&as=board&by=owner_id").content.decode()
    assert str(atelier.ids["sales"]) in lanes(text) and "Sam Sales" in text


def test_a_calendar_has_each_record_on_its_day_and_moves_it(atelier: Atelier) -> None:
    key, client = opportunity(atelier, close_date="2031-05-14"), atelier.client("sales")
    path = "/o/crm_opportunity?f=&as=calendar&by=close_date&columns=stage&month=2031-05"
    text = client.get(path).content.decode()
    assert "May 2031" in text
    day = text.split('data-lane="2031-05-14"')[1].split("</td>")[0]
    assert key in day and "Board probe" in day
    form = {"field": "close_date", "value": "2031-05-20", "back": path.removeprefix("/o/crm_opportunity")}
    answer = client.post(f"/o/crm_opportunity/{key}/move", form, headers={"X-Board": "1"}, follow=True)
    assert key in answer.content.decode().split('data-lane="2031-05-20"')[1].split("</td>")[0]


def test_a_date_with_time_keeps_its_time_on_another_day() -> None:
    """Summer and winter: half past eleven at night in Berlin stays so."""
    field = FieldDef("at", "datetime")
    with timezone.override("Europe/Berlin"):
        moved = boards.placed(field, "2031-12-01", "2031-07-01T21:30:00.000Z")
        fresh = boards.placed(field, "2031-12-01", None)
        with pytest.raises(Invalid):
            boards.placed(field, "2031-13-01", None)
    assert dt.datetime.fromisoformat(moved) == dt.datetime(2031, 12, 1, 22, 30, tzinfo=dt.UTC)
    assert dt.datetime.fromisoformat(fresh) == dt.datetime(2031, 12, 1, 8, 0, tzinfo=dt.UTC)
    assert boards.placed(field, "-", None) is None


def test_a_gallery_pages_like_the_table(atelier: Atelier) -> None:
    client = atelier.client("owner")
    text = client.get("/o/crm_contact?f=&as=gallery&size=10&sort=full_name").content.decode()
    assert text.count('class="ab-tile"') == 10 and 'rel="next"' in text and "as=gallery" in text


def test_a_saved_view_keeps_its_layout(atelier: Atelier) -> None:
    client = atelier.client("manager")
    made = client.post("/o/crm_opportunity/views", {"name": "My board", "query": BOARD})
    text = client.get(made["Location"]).content.decode()
    assert "data-board" in text and 'name="My board"' not in text
    table = client.get(made["Location"] + "&as=table").content.decode()
    assert "data-board" not in table and "ab-table" in table


def test_an_unknown_layout_is_the_table(atelier: Atelier) -> None:
    client = atelier.client("owner")
    assert "ab-table" in client.get("/o/crm_opportunity?as=pie").content.decode()
    assert "data-board" in client.get("/o/crm_opportunity?as=board&by=name").content.decode()
    assert client.get("/o/crm_opportunity/lane?as=table").status_code == 400


VIEWS = "name: x\nfields:\n  s: {{type: select, options: [aa, bb]}}\n  d: {{type: date}}\n  t: {{type: text}}\nlistViews:\n  v: {{columns: [t], {keys}}}\n"


def test_views_declare_their_layout(atelier: Atelier) -> None:
    made = load_yaml(VIEWS.format(keys="type: board, groupBy: s"), "x.yml")
    view = object_item(made)["listViews"]["v"]
    assert (view["type"], view["groupBy"]) == ("board", "s")
    hidden = object_item(made, readable=frozenset({"t"}))["listViews"]
    assert "v" not in hidden, "a board tells the values of its lanes"
    text = atelier.client("owner").get("/o/crm_opportunity").content.decode()
    assert "Board" in text and "Closings" in text and "as=calendar" in text


@pytest.mark.parametrize(
    "keys",
    ["type: pie", "type: board", "type: board, groupBy: t", "type: calendar, dateField: s", "type: calendar",
     "groupBy: s", "type: board, groupBy: ghost"],
)  # fmt: skip
def test_views_that_cannot_be_laid_out_are_refused(keys: str) -> None:
    with pytest.raises(DefinitionErrors):
        load_yaml(VIEWS.format(keys=keys), "x.yml")
