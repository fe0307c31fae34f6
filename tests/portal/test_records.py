"""Records: the generated form, errors, conflicts, history, owner, the bin."""

import re

from tests.portal.atelier import Atelier

NEW = {"name": "Ada Test", "company": "Test & Söhne", "status": "new"}


def create(atelier: Atelier, who: str = "manager", **values: str) -> str:
    answer = atelier.client(who).post("/o/crm_lead/new", NEW | values)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    return str(answer["Location"])


def form_of(text: str) -> dict[str, str]:
    """Return the hidden and text inputs of a form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
    return {name: value.replace("&amp;", "&") for name, value in found}


def test_a_form_has_labels_help_units_and_required_marks(atelier: Atelier) -> None:
    text = atelier.client("manager").get("/o/crm_lead/new").content.decode()
    for name in ("name", "company", "status", "expected_value", "email"):
        assert f'for="f-{name}"' in text and f'id="f-{name}"' in text
    assert 'aria-required="true"' in text and "€" in text
    assert 'name="lead_no"' not in text, "a number that the database makes is not asked for"


def test_errors_come_all_at_once_at_their_fields_and_summed_up(atelier: Atelier) -> None:
    form = {"name": "", "company": "x", "status": "new", "email": "no address", "expected_value": "many"}
    answer = atelier.client("manager").post("/o/crm_lead/new", form)
    text = answer.content.decode()
    assert answer.status_code == 400
    summary = re.search(r"data-error-summary.*?</ul>", text, re.DOTALL).group()
    for name in ("name", "email", "expected_value"):
        assert f'href="#f-{name}"' in summary and f'id="error-{name}"' in text
    assert 'value="no address"' in text, "what was typed stays"


def test_a_record_is_created_shown_and_found_again(atelier: Atelier) -> None:
    where = create(atelier, name="Grace Shown", expected_value="12500.50")
    client = atelier.client("manager")
    text = client.get(where).content.decode()
    assert (
        "Grace Shown" in text
        and "€12,500.50" in text
        and "Mia Manager" in text
        and "Test &amp; Söhne" in text
    )
    assert "Grace Shown" in client.get("/").content.decode()
    assert "<mark>Grace</mark> Shown" in client.get("/search?q=Grace").content.decode()
    assert "Grace Shown" in client.get("/palette?q=grace").content.decode()


def test_the_history_tells_who_changed_what_from_which_to_which(atelier: Atelier) -> None:
    where = create(atelier, name="Harry History", rating="cold")
    client = atelier.client("manager")
    form = form_of(client.get(where + "/edit").content.decode())
    values = {k.removeprefix("original."): v for k, v in form.items() if k.startswith("original.")}
    assert client.post(where + "/edit", values | form | {"rating": "hot"}).status_code == 302
    text = client.get(where).content.decode()
    changes = re.search(r"ab-changes.*?</ul>", text, re.DOTALL).group()
    assert "Rating" in changes and changes.index("Cold") < changes.index("Hot") and "Mia Manager" in text


def test_only_what_changed_is_written(atelier: Atelier) -> None:
    where = create(atelier, name="Una Unchanged")
    client = atelier.client("manager")
    form = form_of(client.get(where + "/edit").content.decode())
    values = {k.removeprefix("original."): v for k, v in form.items() if k.startswith("original.")}
    assert client.post(where + "/edit", values | form).status_code == 302
    assert atelier.one("crm_lead", "Una Unchanged")["version"] == 1


def test_two_people_save_and_the_second_chooses(atelier: Atelier) -> None:
    where = create(atelier, name="Connie Conflict", rating="cold", city="Bonn")
    owner, manager = atelier.client("owner"), atelier.client("manager")
    form = form_of(manager.get(where + "/edit").content.decode())
    values = {k.removeprefix("original."): v for k, v in form.items() if k.startswith("original.")}
    assert owner.post(where + "/edit", values | form | {"rating": "hot"}).status_code == 302
    answer = manager.post(where + "/edit", values | form | {"rating": "warm", "city": "Köln"})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "Olivia Owner" in text and "both changed it" in text and "Köln" in text
    choice = form_of(text) | {"pick.rating": "theirs", "pick.city": "mine"}
    assert manager.post(where + "/edit", choice).status_code == 302
    saved = atelier.one("crm_lead", "Connie Conflict")
    assert (saved["rating"], saved["city"]) == ("hot", "Köln")


def test_without_the_version_the_later_save_would_win(atelier: Atelier) -> None:
    """Negative control of the conflict: the version in the form is what notices it."""
    where = create(atelier, name="Carl Control", rating="cold")
    owner, manager = atelier.client("owner"), atelier.client("manager")
    form = form_of(manager.get(where + "/edit").content.decode())
    values = {k.removeprefix("original."): v for k, v in form.items() if k.startswith("original.")}
    assert owner.post(where + "/edit", values | form | {"rating": "hot"}).status_code == 302
    assert manager.post(where + "/edit", values | form | {"rating": "warm", "match": ""}).status_code == 302
    assert atelier.one("crm_lead", "Carl Control")["rating"] == "warm"


def test_a_look_up_offers_matches_and_takes_a_typed_name(atelier: Atelier) -> None:
    client = atelier.client("manager")
    account = atelier.rows("crm_account", {"limit": 1})[0]
    word = account["name"].split()[0]
    offered = client.get("/lookup/crm_account", {"field": "account", "account__text": word}).content.decode()
    assert f'data-value="{account["id"]}"' in offered
    form = {"full_name": "Typed Contact", "account": "", "account__text": account["name"]}
    answer = client.post("/o/crm_contact/new", form)
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    assert (
        atelier.rows("crm_contact", {"where": {"full_name": "Typed Contact"}})[0]["account"] == account["id"]
    )
    wrong = client.post("/o/crm_contact/new", form | {"account__text": "No such account"})
    assert wrong.status_code == 400 and "exact name" in wrong.content.decode()


def test_related_lists_show_what_points_here(atelier: Atelier) -> None:
    contact = next(row for row in atelier.rows("crm_contact", {"limit": 50}) if row["account"])
    text = atelier.client("manager").get(f"/o/crm_account/{contact['account']}").content.decode()
    assert "related-1" in text and f"/o/crm_contact/{contact['id']}" in text


def test_deleting_offers_the_way_back(atelier: Atelier) -> None:
    where = create(atelier, name="Dora Deleted")
    client = atelier.client("manager")
    assert "Delete “Dora Deleted”?" in client.get(where + "/delete").content.decode()
    assert atelier.rows("crm_lead", {"where": {"name": "Dora Deleted"}})
    answer = client.post(where + "/delete", follow=True)
    assert f'action="{where}/restore"' in answer.content.decode()
    assert "Dora Deleted" in client.get("/o/crm_lead/trash").content.decode()
    assert client.get(where).status_code == 404
    assert client.post(where + "/restore").status_code == 302
    assert client.get(where).status_code == 200


def test_the_owner_changes_and_who_may_not_is_told(atelier: Atelier) -> None:
    where = create(atelier, name="Olga Owned")
    client = atelier.client("manager")
    assert client.post(where + "/owner", {"owner_id": str(atelier.ids["sales"])}).status_code == 302
    assert atelier.one("crm_lead", "Olga Owned")["owner_id"] == str(atelier.ids["sales"])
    assert atelier.client("reader").post(
        where + "/owner", {"owner_id": str(atelier.ids["sales"])}
    ).status_code in (403, 404)


def test_a_reader_gets_no_form(atelier: Atelier) -> None:
    lead = atelier.rows("crm_lead", {"limit": 1})[0]
    client = atelier.client("reader")
    page = client.get(f"/o/crm_lead/{lead['id']}")
    assert page.status_code == 200 and "/edit" not in page.content.decode()
    assert client.get(f"/o/crm_lead/{lead['id']}/edit").status_code == 403
    assert client.post(f"/o/crm_lead/{lead['id']}/edit", {"name": "Taken over"}).status_code == 403
    assert client.post(f"/o/crm_lead/{lead['id']}/delete").status_code == 403


def test_what_a_member_may_not_read_is_on_no_page(atelier: Atelier) -> None:
    """The reader's set hides the credit limit; the manager sees them (the control)."""
    account = next(row for row in atelier.rows("crm_account", {"limit": 50}) if row.get("credit_limit"))
    path = f"/o/crm_account/{account['id']}"
    label = "Credit limit"
    assert label in atelier.client("manager").get(path).content.decode()
    assert label not in atelier.client("reader").get(path).content.decode()
    sneaky = atelier.client("reader").get(
        "/o/crm_account?f=0.credit_limit.gt.1&columns=name,credit_limit&sort=credit_limit"
    )
    assert sneaky.status_code == 200 and label not in sneaky.content.decode()


def test_text_is_never_markup(atelier: Atelier) -> None:
    where = create(atelier, name="<script>alert(1)</script>", company='"><img src=x>')
    client = atelier.client("manager")
    for path in (where, where + "/edit", "/o/crm_lead?f=&sort=-created_at", "/", "/palette?q=script"):
        text = client.get(path).content.decode()
        assert "<script>alert" not in text and "<img src=x>" not in text


def test_members_edit_what_they_own(atelier: Atelier) -> None:
    where = create(atelier, who="sales", name="Sonia Sold")
    client = atelier.client("sales")
    assert where + "/edit" in client.get(where).content.decode()
    assert client.get(where + "/edit").status_code == 200
