"""A browser's journey through a form with every kind of input: by keyboard and pointer, saved, shown, changed."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core.actor import SYSTEM
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from tests.looks import LOOKS, chosen
from tests.portal.atelier import PASSWORD, Atelier, make_atelier
from tests.portal.browser import faults, opened, overflow, sign_in
from tests.servers import LiveServer

pytestmark = pytest.mark.browser
PICTURES = os.environ.get("AIBOS_PICTURES", "")
STEPS = {
    "step": {"type": "text", "label": "Step"},
    "hours": {"type": "number", "label": "Hours"},
    "done": {"type": "boolean", "label": "Done"},
}
FIELDS = {
    "name": {"type": "text", "label": "Name", "required": True},
    "story": {"type": "richtext", "label": "Story", "description": "What happened, in your words."},
    "notes": {"type": "markdown", "label": "Notes"},
    "query": {"type": "code", "label": "Query", "language": "sql"},
    "tint": {"type": "color", "label": "Tint"},
    "ticket": {"type": "qrcode", "label": "Ticket"},
    "token": {"type": "secret", "label": "Token"},
    "stars": {"type": "rating", "label": "Stars"},
    "volume": {"type": "slider", "label": "Volume", "step": 5},
    "ready": {"type": "progress", "label": "Ready"},
    "live": {"type": "toggle", "label": "Live"},
    "stage": {"type": "radio", "label": "Stage", "options": ["early", "late"]},
    "areas": {"type": "checkboxes", "label": "Areas", "options": ["north", "south"]},
    "opens": {"type": "time", "label": "Opens"},
    "words": {"type": "tags", "label": "Words"},
    "place": {"type": "address", "label": "Place"},
    "spot": {"type": "location", "label": "Spot"},
    "size": {"type": "composite", "label": "Size", "fields": {"w": {"type": "number", "label": "Width"}}},
    "plan": {"type": "repeater", "label": "Plan", "fields": STEPS},
    "signed": {"type": "signature", "label": "Signed"},
}  # fmt: skip
OBJECT = {
    "name": "qa_form",
    "label": "Form",
    "pluralLabel": "Forms",
    "sharingModel": "public_read_write",
    "fields": FIELDS,
}


@pytest.fixture(scope="module")
def atelier(database: object) -> Atelier:
    made = make_atelier()
    publish_in(made.ref, [load_body(OBJECT)], by=SYSTEM)
    return made


def look(page: Page, name: str) -> None:
    """Find nothing wrong on the page, in width and to axe; keep a picture where one is wanted."""
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)
    assert overflow(page) <= 0, name
    assert faults(page) == [], name


def stored(page: Page, address: str) -> dict[str, Any]:
    """Return the record as the data door answers it to the member."""
    path = f"/api/v1/data/qa_form/{address.rpartition('/')[2]}"
    found: dict[str, Any] = page.evaluate("path => fetch(path).then(answer => answer.json())", path)["record"]
    return found


def fill(page: Page) -> None:
    """Give every field a value, as a person would."""
    page.get_by_label("Name", exact=True).fill("Everything")
    page.get_by_role("textbox", name="Story").click()
    page.keyboard.press("Control+b")
    page.keyboard.type("Bold")
    page.keyboard.press("Control+b")
    page.keyboard.type(" start")
    page.get_by_label("Notes").fill("# Head\n\n- one\n- two")
    page.get_by_label("Query").fill("SELECT 1;\n  -- two")
    page.get_by_label("Tint", exact=True).fill("#1F6FEB")
    page.get_by_label("Ticket").fill("https://example.com/t/42")
    page.get_by_label("Token").fill("hunter2")
    page.get_by_label("3 stars").focus()
    page.keyboard.press("ArrowRight")
    page.locator("[data-slider]").evaluate(
        "node => { node.value = 35; node.dispatchEvent(new Event('input')); }"
    )
    page.get_by_label("Ready").fill("65")
    page.get_by_role("switch", name="Live").check()
    page.get_by_label("Early").check()
    page.get_by_label("South").check()
    page.get_by_label("Opens").fill("09:30")
    page.get_by_role("group", name="Place").get_by_label("City").fill("Berlin")
    page.get_by_role("group", name="Spot").get_by_label("Latitude").fill("52.5")
    page.get_by_role("group", name="Spot").get_by_label("Longitude").fill("13.25")
    page.get_by_label("Width").fill("12.5")
    words = page.locator(".ab-tags-type")
    words.fill("urgent")
    words.press("Enter")
    words.fill("north, south,")
    words.press("Tab")
    page.get_by_role("button", name="Remove: south").click()
    for step, hours in (("Call", "1.5"), ("Visit", "2"), ("Gone", "3")):
        page.get_by_role("button", name="Add a row").click()
        row = page.get_by_role("group", name="Row").last
        row.get_by_label("Step").fill(step)
        row.get_by_label("Hours").fill(hours)
    page.get_by_role("button", name="Remove this row").last.click()
    page.get_by_label("Type your name to sign").fill("Ann Other")


def test_every_input_by_hand(server: LiveServer, atelier: Atelier) -> None:
    here = server.url("", tenant=atelier.ref.slug)
    with opened() as page:
        sign_in(page, here, atelier.email("owner"), PASSWORD)
        page.goto(f"{here}/o/qa_form/new")
        look(page, "kinds-new")
        fill(page)
        look(page, "kinds-filled")
        page.get_by_role("button", name="Create", exact=True).click()
        expect(page.get_by_role("heading", name="Everything")).to_be_visible()
        record = page.url
        look(page, "kinds-record")
        kept = stored(page, record)
        assert kept["story"] == "<b>Bold</b> start"
        assert (kept["query"], kept["tint"], kept["token"]) == ("SELECT 1;\n  -- two", "#1f6feb", "••••••••")
        assert (kept["stars"], kept["volume"], kept["ready"], kept["live"]) == (4, 35, 65, True)
        assert (kept["stage"], kept["areas"], kept["opens"]) == ("early", ["south"], "09:30:00")
        assert (kept["words"], kept["place"]) == (["urgent", "north"], {"city": "Berlin"})
        assert kept["plan"] == [{"step": "Call", "hours": 1.5}, {"step": "Visit", "hours": 2}]
        assert kept["signed"].startswith("data:image/png;base64,")
        page.goto(f"{record}/edit")
        page.get_by_label("Ticket").fill("other")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".ab-qr figcaption")).to_have_text("other")
        after = stored(page, record)
        changed = {name for name in FIELDS if after[name] != kept[name]}
        assert changed == {"ticket"}  # opening and saving a form touches nothing else
        page.goto(f"{here}/o/qa_form?columns={','.join(FIELDS)}")
        look(page, "kinds-list")


@pytest.mark.parametrize("shape", chosen())
def test_the_inputs_in_every_look(server: LiveServer, atelier: Atelier, shape: str) -> None:
    here = server.url("", tenant=atelier.ref.slug)
    found = atelier.rows("qa_form", {"limit": 1})
    with opened(**LOOKS[shape]) as page:
        page.goto(f"{here}/sign-in")
        page.context.add_cookies([{"name": "aibos_language", "value": "en", "url": here}])
        sign_in(page, here, atelier.email("owner"), PASSWORD)
        if shape == "arabic":
            page.context.add_cookies([{"name": "aibos_language", "value": "ar", "url": here}])
        for row in found:
            for end in ("", "/edit"):
                page.goto(f"{here}/o/qa_form/{row['id']}{end}")
                look(page, f"kinds-{shape}{end.replace('/', '-')}")
