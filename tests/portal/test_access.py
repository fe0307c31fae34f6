"""Pages of access: sharing a record, roles and teams, rules about records, and who may do what."""

import re

import pytest

from tests.portal.atelier import Atelier


@pytest.fixture
def lead(atelier: Atelier) -> str:
    """A lead of the manager's, which sales may not see."""
    rows = atelier.rows("crm_lead", {"where": {"owner_id": str(atelier.ids["manager"])}, "limit": 1})
    return str(rows[0]["id"])


def test_a_record_is_shared_explained_and_shared_no_longer(atelier: Atelier, lead: str) -> None:
    manager, sales, admin = (atelier.client(name) for name in ("manager", "sales", "admin"))
    page = f"/o/crm_lead/{lead}"
    assert sales.get(page).status_code == 404
    assert sales.get(f"{page}/share").status_code == 404
    assert f'href="{page}/share"' in manager.get(page).content.decode()
    empty = manager.get(f"{page}/share").content.decode()
    assert "Nobody but its owner" in empty and "Sam Sales" in empty
    form = {"principal": f"user:{atelier.ids['sales']}", "level": "1", "reason": "holiday cover"}
    assert manager.post(f"{page}/share", form | {"until": "2001-01-01"}).status_code == 400
    assert manager.post(f"{page}/share", form | {"level": "9"}).status_code == 400
    assert manager.post(f"{page}/share", form | {"principal": "user:x"}).status_code == 400
    assert manager.post(f"{page}/share", form | {"until": "2099-01-01"}).status_code == 302
    shared = manager.get(f"{page}/share").content.decode()
    assert "holiday cover" in shared and "Stop sharing with Sam Sales" in shared
    assert sales.get(page).status_code == 200
    mine = sales.get(f"{page}/share").content.decode()
    assert "Why you may" in mine and "Sharing" in mine and 'name="principal"' not in mine
    assert sales.post(f"{page}/share", form).status_code == 403
    assert sales.get(f"{page}/share?who={atelier.ids['manager']}").status_code == 403
    theirs = admin.get(f"{page}/share?who={atelier.ids['sales']}").content.decode()
    assert "Why they may" in theirs and "This record is reached." in theirs
    share = re.search(r'name="share" value="([^"]+)"', shared)[1]
    assert manager.post(f"{page}/share", {"action": "end", "share": share}).status_code == 302
    assert sales.get(page).status_code == 404


def test_roles_and_teams(atelier: Atelier) -> None:
    admin, where = atelier.client("admin"), "/settings/groups"
    assert atelier.client("sales").get(where).status_code == 403
    assert "No roles and teams yet" in admin.get(where).content.decode()
    form = {"kind": "role", "name": "head", "label": "Head of sales"}
    assert admin.post(where, form)["Location"] == f"{where}/head"
    assert admin.post(where, form | {"name": "rep", "label": "Rep", "parent": "head"}).status_code == 302
    assert admin.post(where, form | {"name": "Bad Name"}).status_code == 400
    assert admin.post(where, form | {"kind": "tribe"}).status_code == 400
    assert "Head of sales" in admin.get(where).content.decode()
    person = {"action": "join", "person": str(atelier.ids["nobody"])}
    assert admin.post(f"{where}/rep", person).status_code == 302
    assert "Nora Nobody" in admin.get(f"{where}/rep").content.decode()
    assert atelier.client("nobody").get("/o/crm_lead").status_code == 403
    assert (
        admin.post(f"{where}/rep", {"label": "Rep", "parent": "head", "sets": ["crm_reader"]}).status_code
        == 302
    )
    assert atelier.client("nobody").get("/o/crm_lead").status_code == 200
    assert admin.post(f"{where}/rep", person | {"action": "leave"}).status_code == 302
    assert atelier.client("nobody").get("/o/crm_lead").status_code == 403
    assert admin.post(f"{where}/head", {"action": "delete"}).status_code == 409
    for name in ("rep", "head"):
        assert admin.post(f"{where}/{name}", {"action": "delete"})["Location"] == where
    assert admin.get(f"{where}/head").status_code == 404


def test_rules_about_records(atelier: Atelier, lead: str) -> None:
    admin, sales, where = atelier.client("admin"), atelier.client("sales"), "/settings/record-rules"
    assert sales.get(where).status_code == 403
    assert "No rule shares records yet." in admin.get(where).content.decode()
    rule = {"action": "rule", "name": "of_mia", "label": "Mia's", "object": "crm_lead", "level": "1"}
    rule |= {"principal": f"user:{atelier.ids['sales']}", "owners": f"user:{atelier.ids['manager']}"}
    assert admin.post(where, rule | {"criteria": "nope == 1"}).status_code == 400
    assert admin.post(where, rule).status_code == 302
    assert sales.get(f"/o/crm_lead/{lead}").status_code == 200
    wall = {
        "action": "wall",
        "name": "closed",
        "label": "Closed",
        "object": "crm_lead",
        "operations": ["read"],
    }
    wall |= {"principal": "everyone", "criteria": f"owner_id != '{atelier.ids['manager']}'"}
    assert admin.post(where, wall | {"operations": []}).status_code == 400
    assert admin.post(where, wall).status_code == 302
    text = admin.get(where).content.decode()
    assert "of_mia" in text and "closed" in text
    assert sales.get(f"/o/crm_lead/{lead}").status_code == 404
    assert admin.get(f"/o/crm_lead/{lead}").status_code == 404
    assert admin.post(where, {"action": "end-wall", "name": "closed"}).status_code == 302
    assert admin.get(f"/o/crm_lead/{lead}").status_code == 200
    assert admin.post(where, {"action": "end-rule", "name": "of_mia"}).status_code == 302
    assert sales.get(f"/o/crm_lead/{lead}").status_code == 404


def test_who_may_do_what(atelier: Atelier) -> None:
    admin, sales, where = atelier.client("admin"), atelier.client("sales"), "/settings/access"
    mine = sales.get(where).content.decode()
    assert "Access matrix" in mine and 'name="who"' not in mine
    assert sales.get(f"{where}?who={atelier.ids['admin']}").status_code == 403
    nobody = str(atelier.ids["nobody"])
    text = admin.get(f"{where}?who={nobody}&object=crm_lead&op=read").content.decode()
    assert "Layer by layer" in text and "denies" in text
    assert "What would allow it" in text and "Give them the permission set" in text
    assert "denies" not in admin.get(f"{where}?object=crm_lead&op=read").content.decode()
    assert admin.get(f"{where}?who=nonsense").status_code == 404


def test_a_shared_record_shows_what_may_be_done_with_it(atelier: Atelier, lead: str) -> None:
    """What the page offers is what the services allow: judged on the whole record, shares included."""
    manager, sales, page = atelier.client("manager"), atelier.client("sales"), f"/o/crm_lead/{lead}"
    form = {"principal": f"user:{atelier.ids['sales']}"}
    manager.post(f"{page}/share", form | {"level": "1"})
    assert f'href="{page}/edit"' not in sales.get(page).content.decode()
    assert sales.get(f"{page}/edit").status_code == 403
    manager.post(f"{page}/share", form | {"level": "2"})
    assert f'href="{page}/edit"' in sales.get(page).content.decode()
    assert sales.get(f"{page}/edit").status_code == 200
    share = re.search(r'name="share" value="([^"]+)"', manager.get(f"{page}/share").content.decode())[1]
    manager.post(f"{page}/share", {"action": "end", "share": share})


def test_emergency_access_is_taken_told_and_ended(atelier: Atelier) -> None:
    admin, sales, where = atelier.client("admin"), atelier.client("sales"), "/settings/access"
    form = {"action": "break", "reason": "The customer is on the phone", "minutes": "5"}
    assert "Take emergency access" not in sales.get(where).content.decode()
    assert sales.post(where, form).status_code == 403
    assert admin.post(where, form | {"reason": "short"}).status_code == 400
    assert admin.post(where, form | {"minutes": "x"}).status_code == 400
    assert admin.post(where, form).status_code == 302
    text = admin.get(where).content.decode()
    assert "The customer is on the phone" in text and "Stop: Adam Admin" in text
    assert "on the phone" not in sales.get(where).content.decode()
    end = {"action": "mend", "person": str(atelier.ids["admin"])}
    assert sales.post(where, end).status_code == 403
    assert admin.post(where, end).status_code == 302
    assert admin.post(where, end).status_code == 409
