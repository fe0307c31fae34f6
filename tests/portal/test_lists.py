"""Lists: columns, order, filters, search, pages, views, bulk actions, export."""

import csv
import io

import openpyxl
import pytest

from apps.core.actor import SYSTEM
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.portal import export
from tests.portal.atelier import Atelier


def names(answer: object) -> list[str]:
    """Return the titles in the order of the rows."""
    import re

    text = answer.content.decode()  # type: ignore[attr-defined]
    return [m.strip() for m in re.findall(r'ab-title-cell" href="[^"]*"><bdi>([^<]*)</bdi></a>', text)]


def test_the_list_opens_with_the_filter_of_its_first_view(atelier: Atelier) -> None:
    client = atelier.client("owner")
    shown, everything = (
        names(client.get("/o/crm_lead?size=100")),
        names(client.get("/o/crm_lead?f=&size=100")),
    )
    assert 0 < len(shown) < len(everything)


def test_order_and_filter_and_search(atelier: Atelier) -> None:
    client = atelier.client("owner")
    up = names(client.get("/o/crm_lead?f=&sort=name&columns=name,status&size=100"))
    down = names(client.get("/o/crm_lead?f=&sort=-name&columns=name,status&size=100"))
    assert up == down[::-1] and len(up) > 10
    hot = names(client.get("/o/crm_lead?f=0.rating.in.hot&columns=name&size=100"))
    want = atelier.rows("crm_lead", {"where": {"rating": "hot"}, "limit": 200})
    assert sorted(hot) == sorted(row["name"] for row in want)
    one = names(client.get(f"/o/crm_lead?f=&q={want[0]['company'].split()[0]}&columns=name"))
    assert want[0]["name"] in one


def test_nothing_found_differs_from_nothing_there(atelier: Atelier) -> None:
    client = atelier.client("owner")
    assert "Nothing matches" in client.get("/o/crm_lead?q=zzzzzz").content.decode()


def test_pages_follow_each_other_without_gap_or_repetition(atelier: Atelier) -> None:
    import re

    client, seen, path = atelier.client("owner"), [], "/o/crm_lead?f=&columns=name&sort=name&size=10"
    everything = names(client.get("/o/crm_lead?f=&columns=name&sort=name&size=100"))
    for _page in range(10):
        answer = client.get(path)
        seen += names(answer)
        more = re.search(r'rel="next" href="([^"]+)"', answer.content.decode())
        if not more:
            break
        path = "/o/crm_lead" + more[1].replace("&amp;", "&")
    assert seen == everything
    back = re.search(r'rel="prev" href="([^"]+)"', answer.content.decode())[1].replace("&amp;", "&")
    assert (
        names(client.get("/o/crm_lead" + back))
        == everything[len(everything) - len(names(answer)) - 10 :][:10]
    )


def test_a_cursor_of_somebody_else_leads_to_the_first_page(atelier: Atelier) -> None:
    answer = atelier.client("owner").get("/o/crm_lead?f=&after=Zm9yZ2Vk")
    assert answer.status_code == 302 and "after" not in answer["Location"]


def test_members_see_their_own_records_only(atelier: Atelier) -> None:
    mine = names(atelier.client("sales").get("/o/crm_lead?f=&columns=name&size=100"))
    want = atelier.rows("crm_lead", {"where": {"owner_id": str(atelier.ids["sales"])}, "limit": 200})
    assert sorted(mine) == sorted(row["name"] for row in want) and mine
    assert len(mine) < len(atelier.rows("crm_lead", {"limit": 200}))


def test_saved_views_are_kept_shared_and_opened_first(atelier: Atelier) -> None:
    manager, sales = atelier.client("manager"), atelier.client("sales")
    form = {
        "name": "Hot ones",
        "query": "?f=0.rating.in.hot&columns=name,rating&sort=name",
        "shared": "1",
        "default": "1",
    }
    answer = manager.post("/o/crm_lead/views", form)
    assert answer.status_code == 302
    text = manager.get("/o/crm_lead").content.decode()
    assert "Hot ones" in text and "opens first" in text and "0.rating.in.hot" in text
    shared = sales.get("/o/crm_lead").content.decode()
    assert "Hot ones" in shared and "opens first" not in shared
    key = answer["Location"].split("view=")[1]
    assert sales.post(f"/o/crm_lead/views/{key}/delete").status_code == 403
    manager.post("/o/crm_lead/views", form | {"name": "Private", "shared": ""} | {"default": ""})
    assert manager.post(f"/o/crm_lead/views/{key}/delete").status_code == 302


def test_a_private_view_stays_private(atelier: Atelier) -> None:
    atelier.client("manager").post("/o/crm_contact/views", {"name": "Mine alone", "query": "?f="})
    assert "Mine alone" in atelier.client("manager").get("/o/crm_contact").content.decode()
    assert "Mine alone" not in atelier.client("owner").get("/o/crm_contact").content.decode()


def test_the_export_holds_what_is_shown(atelier: Atelier) -> None:
    client, query = (
        atelier.client("manager"),
        "?f=0.rating.in.hot&columns=name,company,expected_value&sort=name",
    )
    body = b"".join(client.get(f"/o/crm_lead/export{query}&format=csv").streaming_content)
    found = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    assert found[0] == ["Name", "Company", "Expected value"]
    assert [row[0] for row in found[1:]] == names(client.get(f"/o/crm_lead{query}&size=200"))
    sheet = b"".join(client.get(f"/o/crm_lead/export{query}&format=xlsx").streaming_content)
    cells = list(openpyxl.load_workbook(io.BytesIO(sheet)).active.iter_rows(values_only=True))
    assert [row[0] for row in cells] == [row[0] for row in found]
    assert isinstance(cells[1][2], int | float)


def test_the_export_needs_its_right(atelier: Atelier) -> None:
    assert atelier.client("reader").get("/o/crm_lead/export?format=csv").status_code == 403
    assert atelier.client("manager").get("/o/crm_lead/export?format=exe").status_code == 400


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@sum"])
def test_no_cell_of_a_file_is_a_formula(text: str) -> None:
    assert export.harmless(text) == "'" + text
    assert export.harmless("plain") == "plain" and export.harmless(-5) == -5


def test_bulk_actions_ask_with_the_number_first(atelier: Atelier) -> None:
    client = atelier.client("manager")
    ids = []
    for n in range(3):
        made = client.post("/o/crm_lead/new", {"name": f"Bulk {n}", "company": "Bulk Ltd", "status": "new"})
        assert made.status_code == 302, made.content.decode()
        ids.append(made["Location"].rsplit("/", 1)[-1])
    question = client.post("/o/crm_lead/bulk", {"ids": ids, "action": "delete"})
    assert "Delete 3 records?" in question.content.decode()
    assert len(atelier.rows("crm_lead", {"where": {"company": "Bulk Ltd"}})) == 3
    assert (
        client.post("/o/crm_lead/bulk", {"ids": ids[:1], "action": "edit", "field": "rating"}).status_code
        == 200
    )
    form = {"ids": ids[:1], "action": "edit", "field": "rating", "rating": "cold", "confirmed": "1"}
    assert client.post("/o/crm_lead/bulk", form).status_code == 302
    assert atelier.one("crm_lead", "Bulk 0")["rating"] == "cold"
    assert (
        client.post("/o/crm_lead/bulk", {"ids": ids, "action": "delete", "confirmed": "1"}).status_code == 302
    )
    assert atelier.rows("crm_lead", {"where": {"company": "Bulk Ltd"}}) == []
    assert client.post(f"/o/crm_lead/{ids[0]}/restore").status_code == 302
    assert len(atelier.rows("crm_lead", {"where": {"company": "Bulk Ltd"}})) == 1


def test_bulk_actions_leave_what_may_not_be_touched(atelier: Atelier) -> None:
    other = atelier.rows("crm_lead", {"where": {"owner_id": str(atelier.ids["manager"])}})[0]
    client = atelier.client("sales")
    form = {"ids": [other["id"]], "action": "edit", "field": "rating", "rating": "cold", "confirmed": "1"}
    answer = client.post("/o/crm_lead/bulk", form, follow=True)
    assert "1 record stayed as it was" in answer.content.decode()
    assert atelier.one("crm_lead", other["name"])["version"] == other["version"]


def test_new_asks_for_the_record_type(atelier: Atelier) -> None:
    fields = {
        "name": {"type": "text"},
        "kind": {"type": "select", "options": [{"value": "person", "label": "Person"}, "company"]},
        "born": {"type": "date"},
    }
    types = {"field": "kind", "types": {"person": {"fields": ["born"]}, "company": {}}}
    body = {"name": "qa_party", "label": "Party", "sharingModel": "public_read_write", "fields": fields}
    publish_in(atelier.ref, [load_body(body | {"recordTypes": types})], by=SYSTEM)
    client = atelier.client("owner")
    page = client.get("/o/qa_party").content.decode()
    assert 'href="/o/qa_party/new?kind=person">Person</a>' in page
    form = client.get("/o/qa_party/new?kind=person").content.decode()
    assert '<option value="person" selected>Person</option>' in form
    publish_in(
        atelier.ref, [load_body(body)], by=SYSTEM
    )  # the control: without types there is nothing to ask
    assert "new?kind=" not in client.get("/o/qa_party").content.decode()


def test_several_fields_are_set_at_once(atelier: Atelier) -> None:
    client, ids = atelier.client("manager"), []
    for n in range(2):
        made = client.post(
            "/o/crm_lead/new", {"name": f"Several {n}", "company": "Several Ltd", "status": "new"}
        )
        ids.append(made["Location"].rsplit("/", 1)[-1])
    base = {"ids": ids, "action": "edit"}
    asked = client.post(
        "/o/crm_lead/bulk", base | {"field": ["rating"], "add": "next_contact"}
    ).content.decode()
    assert 'name="rating"' in asked and 'name="next_contact"' in asked and "Change 2 records" in asked
    dropped = client.post(
        "/o/crm_lead/bulk", base | {"field": ["rating"], "drop": "rating", "confirmed": "1"}
    )
    assert dropped.status_code == 200 and 'id="f-rating"' not in dropped.content.decode()
    form = base | {"field": ["rating", "next_contact"], "rating": "hot", "next_contact": "2031-02-03"}
    assert client.post("/o/crm_lead/bulk", form | {"confirmed": "1"}).status_code == 302
    rows = atelier.rows("crm_lead", {"where": {"company": "Several Ltd"}})
    assert {(row["rating"], row["next_contact"]) for row in rows} == {("hot", "2031-02-03")}
    assert client.post("/o/crm_lead/bulk", base | {"confirmed": "1"}).status_code == 400


def test_a_whole_list_is_changed_and_nothing_beyond_it(atelier: Atelier) -> None:
    client = atelier.client("manager")
    for n in range(12):
        client.post("/o/crm_lead/new", {"name": f"Whole {n:02}", "company": "Whole Ltd", "status": "new"})
    back = "?f=0.company.is.Whole+Ltd&f=0.name.starts.Whole+0&columns=name&size=10"
    form = {"everything": "1", "back": back, "action": "edit", "field": "rating", "rating": "cold"}
    assert "10 records" in client.post("/o/crm_lead/bulk", form).content.decode()
    assert client.post("/o/crm_lead/bulk", form | {"confirmed": "1"}).status_code == 302
    rows = atelier.rows("crm_lead", {"where": {"company": "Whole Ltd"}})
    assert {row["name"] for row in rows if row["rating"] == "cold"} == {f"Whole {n:02}" for n in range(10)}
