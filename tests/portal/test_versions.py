"""Versions on the pages: the list, two beside each other, and the way back field by field."""

import re

from tests.portal.atelier import Atelier
from tests.portal.test_records import create, form_of


def change(atelier: Atelier, where: str, **values: str) -> None:
    client = atelier.client("manager")
    form = form_of(client.get(where + "/edit").content.decode())
    now = {k.removeprefix("original."): v for k, v in form.items() if k.startswith("original.")}
    answer = client.post(where + "/edit", form | now | values)
    assert answer.status_code == 302, answer.content.decode()[-2000:]


def test_versions_are_listed_compared_and_brought_back(atelier: Atelier) -> None:
    where = create(atelier, name="Vera First", company="One Ltd")
    change(atelier, where, name="Vera Second", company="Two Ltd")
    change(atelier, where, company="Three Ltd")
    client = atelier.client("manager")
    assert f'href="{where}/versions"' in client.get(where).content.decode()
    text = client.get(where + "/versions").content.decode()
    assert re.findall(r"<b>(\d+)</b>", text) == ["3", "2", "1"]
    assert "Mia Manager" in text and "Two Ltd" in text
    text = client.get(where + "/versions?from=1&to=3").content.decode()
    table = re.search(r"ab-merge.*?</table>", text, re.DOTALL).group()
    assert (
        "Vera First" in table and "Vera Second" in table and "Three Ltd" in table and "Two Ltd" not in table
    )

    page = client.get(where + "/versions/1/restore").content.decode()
    assert 'name="fields" value="name" checked' in page
    assert 'name="fields" value="company" checked' in page
    answer = client.post(where + "/versions/1/restore", form_of(page) | {"fields": ["company"]})
    assert (answer.status_code, answer["Location"]) == (302, where)
    text = client.get(where).content.decode()
    assert "Vera Second" in text and "One Ltd" in text
    assert "back to version 1" in client.get(where + "/versions").content.decode()


def test_somebody_changed_the_record_while_one_was_choosing(atelier: Atelier) -> None:
    where = create(atelier, name="Carl Conflict")
    change(atelier, where, name="Carl Later")
    client = atelier.client("manager")
    page = client.get(where + "/versions/1/restore").content.decode()
    change(atelier, where, name="Carl Latest")
    answer = client.post(where + "/versions/1/restore", form_of(page) | {"fields": ["name"]})
    assert answer.status_code == 409
    assert "modified by another user" in answer.content.decode()
    assert "Carl Latest" in client.get(where).content.decode()


def test_nothing_chosen_changes_nothing(atelier: Atelier) -> None:
    where = create(atelier, name="Nora None")
    change(atelier, where, name="Nora Two")
    client = atelier.client("manager")
    page = client.get(where + "/versions/1/restore").content.decode()
    assert client.post(where + "/versions/1/restore", form_of(page)).status_code == 302
    assert len(re.findall(r"<b>(\d+)</b>", client.get(where + "/versions").content.decode())) == 2


def test_who_may_only_read_sees_versions_and_no_way_back(atelier: Atelier) -> None:
    where = create(atelier, name="Rita Readonly")
    reader = atelier.client("reader")
    shown = reader.get(where + "/versions")
    assert shown.status_code in (200, 404), "as the record itself"
    assert "/restore" not in shown.content.decode()
    assert reader.get(where + "/versions/1/restore").status_code in (403, 404)


def test_versions_that_are_none(atelier: Atelier) -> None:
    where = create(atelier, name="Otto One")
    client = atelier.client("manager")
    assert client.get(where + "/versions?from=x&to=y").status_code == 200
    assert client.get(where + "/versions?from=7&to=9").status_code == 404
    assert client.get(where + "/versions/99/restore").status_code == 404
    assert (
        "has the values of this version already" in client.get(where + "/versions/1/restore").content.decode()
    )
