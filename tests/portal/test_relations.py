"""Lists of references in the pages: chosen, shown, compared, and found again from the other side."""

import re

import pytest

from apps.core.actor import SYSTEM
from apps.core.scope import tenant_scope
from apps.objects import query, records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.portal.atelier import Atelier

TAG = {
    "name": "pr_tag",
    "sharingModel": "public_read_write",
    "fields": {"name": {"type": "text", "required": True}},
}
POST = {
    "name": "pr_post",
    "sharingModel": "public_read_write",
    "fields": {
        "name": {"type": "text", "required": True},
        "tags": {
            "type": "lookup",
            "reference": "pr_tag",
            "multiple": True,
            "description": "What it is about.",
        },
        "readers": {"type": "user", "multiple": True},
        "above": {"type": "tree"},
        "below": {"type": "summary", "summaryOperations": {"object": "pr_post", "function": "count"}},
    },
}
EVERY = {"allowRead": True, "allowCreate": True, "allowEdit": True, "allowDelete": True}


@pytest.fixture(scope="module")
def posts(atelier: Atelier) -> Atelier:
    publish_in(atelier.ref, [load_body(TAG), load_body(POST)], by=SYSTEM)
    with tenant_scope(atelier.ref):
        body = {"objects": {"pr_tag": EVERY, "pr_post": EVERY}}
        permissions.create_set(name="pr", label="pr", body=body, by=SYSTEM)
        permissions.assign(user_id=atelier.ids["sales"], name="pr", by=SYSTEM)
    return atelier


def made(posts: Atelier, obj: str, **values: object) -> str:
    with tenant_scope(posts.ref):
        return records.create(obj, values, by=SYSTEM).id


def test_several_records_are_chosen_shown_and_found_again(posts: Atelier) -> None:
    client = posts.client("sales")
    red, blue = made(posts, "pr_tag", name="Red"), made(posts, "pr_tag", name="Blue <b>")
    form = client.get("/o/pr_post/new").content.decode()
    assert "data-several" in form and 'aria-label="Add to Tags"' in form and 'id="help-tags"' in form
    assert 'name="below"' not in form
    me = str(posts.ids["sales"])
    answer = client.post("/o/pr_post/new", {"name": "One", "tags": [blue, red], "readers": [me]})
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    (post,) = posts.rows("pr_post", {"where": {"name": "One"}})
    assert (post["tags"], post["readers"]) == ([blue, red], [me])
    page = client.get(f"/o/pr_post/{post['id']}").content.decode()
    assert re.search(r">Blue &lt;b&gt;</bdi></a>, <a[^>]+><bdi>Red<", page) and "Sam Sales" in page
    edit = client.get(f"/o/pr_post/{post['id']}/edit").content.decode()
    assert f'value="{red}" checked' in edit and f'value="{blue};{red}"' in edit
    other_side = client.get(f"/o/pr_tag/{red}").content.decode()
    assert f"/o/pr_post/{post['id']}" in other_side


def test_without_scripts_a_name_is_typed(posts: Atelier) -> None:
    client, kept = posts.client("sales"), made(posts, "pr_tag", name="Kept")
    typed = made(posts, "pr_tag", name="Typed")
    sent = {"name": "Two", "tags": [kept], "tags__text": "Typed"}
    assert client.post("/o/pr_post/new", sent).status_code == 302
    assert posts.rows("pr_post", {"where": {"name": "Two"}})[0]["tags"] == [kept, typed]
    wrong = client.post("/o/pr_post/new", sent | {"tags__text": "Nobody"})
    assert wrong.status_code == 400 and "exact name" in wrong.content.decode()


def test_history_list_and_filter_know_the_words(posts: Atelier) -> None:
    tag, other = made(posts, "pr_tag", name="Green"), made(posts, "pr_tag", name="Grey")
    post = made(posts, "pr_post", name="Three", tags=[tag])
    with tenant_scope(posts.ref):
        records.update("pr_post", post, {"tags": [tag, other]}, by=SYSTEM)
    client = posts.client("sales")
    page = client.get(f"/o/pr_post/{post}").content.decode()
    assert page.count("Grey") >= 2  # the field, and the change in its history
    without = made(posts, "pr_post", name="Other", tags=[tag])
    listed = client.get("/o/pr_post", {"f": f"0.tags.includes.{other}"}).content.decode()
    assert f"/o/pr_post/{post}" in listed and f"/o/pr_post/{without}" not in listed


def test_a_tree_refuses_a_circle_at_its_field(posts: Atelier) -> None:
    top = made(posts, "pr_post", name="Top")
    leaf = made(posts, "pr_post", name="Leaf", above=top)
    answer = posts.client("sales").post(f"/o/pr_post/{top}/edit", {"name": "Top", "above": leaf, "match": ""})
    assert answer.status_code == 400 and "A record cannot be below itself." in answer.content.decode()
    with tenant_scope(posts.ref):
        assert query.get("pr_post", top, by=SYSTEM).record()["below"] == 1
