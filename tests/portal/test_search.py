"""The search page: what it finds, where the words stand, and nothing that the reader may not see."""

import re

from apps.portal import finding
from tests.portal.atelier import Atelier


def test_words_are_found_counted_and_marked(atelier: Atelier) -> None:
    lead = atelier.rows("crm_lead", {"limit": 1})[0]
    word = lead["name"].split()[-1]
    text = atelier.client("owner").get("/search", {"q": word}).content.decode()
    assert f"<mark>{word}</mark>" in text and f"/o/crm_lead/{lead['id']}" in text
    for name in ("crm_lead", "crm_contact"):
        want = len(atelier.rows(name, {"search": word, "limit": 500}))
        shown = re.search(rf"in={name}\"[^>]*>.*?<small>(\d+)</small>", text, re.DOTALL)
        assert (int(shown[1]) if shown else 0) == want


def test_one_object_alone_shows_more(atelier: Atelier) -> None:
    client = atelier.client("owner")
    some = client.get("/search?q=e").content.decode()
    alone = client.get("/search?q=e&in=crm_contact").content.decode()
    assert alone.count("/o/crm_contact/") > some.count("/o/crm_contact/")
    hits = alone.split('class="ab-found"')[1]
    assert "/o/crm_lead/" not in hits and "in=crm_lead" in hits
    assert client.get("/search?q=e&in=ghost").content.decode().count("ab-hits") == some.count("ab-hits")


def test_a_search_keeps_to_the_readers_rights(atelier: Atelier) -> None:
    hidden = atelier.rows("crm_lead", {"where": {"owner_id": str(atelier.ids["manager"])}})[0]
    path = {"q": hidden["name"]}
    assert hidden["id"] in atelier.client("manager").get("/search", path).content.decode(), "the control"
    assert hidden["id"] not in atelier.client("sales").get("/search", path).content.decode()
    assert "ab-hits" not in atelier.client("nobody").get("/search", path).content.decode()


def test_a_fields_value_without_the_right_to_it_is_neither_found_nor_shown(atelier: Atelier) -> None:
    """Opportunities show three details; one that may not be read is none of them."""
    rows = atelier.rows("crm_opportunity", {"limit": 1}, "sales")
    text = atelier.client("sales").get("/search", {"q": rows[0]["name"]}).content.decode()
    assert rows[0]["id"] in text and "Cost" not in text and "Margin" not in text


def test_marks_are_no_markup() -> None:
    assert finding.marked("<b>Ann</b> & ann", "ann b") == (
        "&lt;<mark>b</mark>&gt;<mark>Ann</mark>&lt;/<mark>b</mark>&gt; &amp; <mark>ann</mark>"
    )
    assert finding.marked("a.c abc", "a.c") == "<mark>a.c</mark> abc"
    assert finding.marked("x", "") == "x"
