"""Privacy on the pages: retention, holds, erasing a person who left and a record, each with its name typed."""

import re

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.identity.services import members
from tests.portal.atelier import Atelier
from tests.portal.test_records import form_of


def page(atelier: Atelier) -> str:
    answer = atelier.client("owner").get("/settings/privacy")
    assert answer.status_code == 200, answer.content.decode()[-2000:]
    return str(answer.content.decode())


def post(atelier: Atelier, path: str, **values: str) -> tuple[int, str]:
    answer = atelier.client("owner").post(path, values)
    return answer.status_code, answer.content.decode()


def test_only_who_manages_privacy_sees_the_page(atelier: Atelier) -> None:
    assert "No hold stands" in page(atelier)
    assert atelier.client("manager").get("/settings/privacy").status_code == 403
    assert (
        'href="/settings/privacy"' not in atelier.client("manager").get("/settings/members").content.decode()
    )
    assert 'href="/settings/privacy"' in atelier.client("owner").get("/settings/members").content.decode()
    for path in ("keep", "holds", "erase"):
        assert atelier.client("manager").post(f"/settings/privacy/{path}", {}).status_code in (400, 403)


def test_retention_is_chosen(atelier: Atelier) -> None:
    assert post(atelier, "/settings/privacy/keep", days="365")[0] == 302
    assert '<option value="365" selected' in page(atelier)
    status, text = post(atelier, "/settings/privacy/keep", days="7")
    assert (status, "at least 30 days" in text) == (400, True)
    assert post(atelier, "/settings/privacy/keep", days="x")[0] == 400
    assert post(atelier, "/settings/privacy/keep", days="")[0] == 302


def test_a_hold_is_placed_and_released(atelier: Atelier) -> None:
    assert post(atelier, "/settings/privacy/holds", what="all", reason="")[0] == 400
    assert post(atelier, "/settings/privacy/holds", what="person", reason="case 17")[0] == 400
    status, _text = post(
        atelier, "/settings/privacy/holds", what="person", person=str(atelier.ids["sales"]), reason="case 17"
    )
    assert status == 302
    text = page(atelier)
    assert "Sam Sales" in text and "case 17" in text
    where = re.search(r'action="(/settings/privacy/holds/[^"]+/release)"', text).group(1)
    assert post(atelier, where, reason="")[0] == 400
    assert post(atelier, where, reason="closed")[0] == 302
    assert "released" in page(atelier)


def test_a_person_who_left_is_erased_by_typing_the_name(atelier: Atelier) -> None:
    with tenant_scope(atelier.ref):
        made = members.create_member(
            email="gone@atelier.test",
            name="Gerda Gone",
            password="correct horse battery",
            role="member",
            by=SYSTEM,
        )
    browser = atelier.client(None)
    answer = browser.post("/sign-in", {"email": "gone@atelier.test", "password": "correct horse battery"})
    assert answer.status_code == 302
    with tenant_scope(atelier.ref):
        members.remove(user_id=made.user_id, by=SYSTEM)
    text = page(atelier)
    assert "Gerda Gone" in text
    person = str(made.user_id)
    status, text = post(atelier, "/settings/privacy/erase", person=person, typed="Gerda", reason="asked")
    assert (status, "This is not the name" in text) == (400, True)
    status, _text = post(
        atelier, "/settings/privacy/erase", person=person, typed="Gerda Gone", reason="asked"
    )
    assert status == 302
    assert "Gerda Gone" not in page(atelier)
    ledger = atelier.client("owner").get("/settings/ledger?action=session.started").content.decode()
    assert "Erased person" in ledger and "Gerda" not in ledger


def test_a_record_is_erased_on_its_own_page(atelier: Atelier) -> None:
    client = atelier.client("owner")
    account = atelier.rows("crm_account", {"limit": 1})[0]["id"]
    answer = client.post("/o/crm_contact/new", {"full_name": "Erna Erase", "account": account})
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    where = answer["Location"]
    assert f'href="{where}/erase"' in client.get(where).content.decode()
    assert f'href="{where}/erase"' not in atelier.client("manager").get(where).content.decode()
    text = client.get(where + "/erase").content.decode()
    assert "E-mail" in text and "cannot be undone" in text
    wrong = client.post(where + "/erase", form_of(text) | {"typed": "Erna", "reason": "asked"})
    assert wrong.status_code == 400
    done = client.post(where + "/erase", {"typed": "Erna Erase", "reason": "asked"})
    assert done.status_code == 302, done.content.decode()[-2000:]
    assert client.get(where).status_code == 404
    shown = client.get("/settings/ledger?action=crm_contact.*").content.decode()
    assert "Erna" not in shown
