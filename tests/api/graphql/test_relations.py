"""Relations over GraphQL: lists of records and of members, trees, and roll-ups, under the reader's rights."""

import pytest

from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, tenant_scope
from apps.objects import records
from apps.objects.parse import load_body
from apps.objects.publish import publish_in
from apps.permissions import services as permissions
from tests.api.conftest import Caller
from tests.api.graphql.conftest import data
from tests.people import People

pytestmark = pytest.mark.usefixtures("api")
EVERY = {"allowRead": True, "allowCreate": True, "allowEdit": True, "allowDelete": True}
NAME = {"name": {"type": "text", "required": True}}
TAG = {"name": "gr_tag", "sharingModel": "private", "fields": NAME}
POST = {
    "name": "gr_post",
    "sharingModel": "public_read_write",
    "fields": {
        **NAME,
        "tags": {"type": "lookup", "reference": "gr_tag", "multiple": True},
        "readers": {"type": "user", "multiple": True},
        "above": {"type": "tree"},
        "below": {"type": "summary", "summaryOperations": {"object": "gr_post", "function": "count"}},
    },
}


@pytest.fixture(scope="module")
def posts(database: dict[str, TenantRef], people: People) -> dict[str, str]:
    """Two tags of different people, and three posts one below the other."""
    acme = database["acme"]
    publish_in(acme, [load_body(TAG), load_body(POST)], by=SYSTEM)
    with tenant_scope(acme):
        body = {"objects": {"gr_tag": EVERY, "gr_post": EVERY}}
        permissions.create_set(name="gr", label="gr", body=body, by=SYSTEM)
        for name in ("sales", "manager"):
            permissions.assign(user_id=people.actor(name).user_id, name="gr", by=SYSTEM)
        made = {
            name: records.create("gr_tag", {"name": name}, by=people.actor(name)).id
            for name in ("sales", "manager")
        }
        tags = {"tags": [made["manager"], made["sales"]], "readers": [str(people.actor("sales").user_id)]}
        for name, above in (("top", None), ("middle", "top"), ("leaf", "middle")):
            given = {"name": name, "above": made.get(above or "")} | (tags if name == "top" else {})
            made[name] = records.create("gr_post", given, by=SYSTEM).id
    return made


def test_a_list_of_records(sales: Caller, posts: dict[str, str]) -> None:
    """The ids are all there, in order; of the records those that the reader may see."""
    rest = "{ name below tags { name } tags_ids readers { name } }"
    asked = f'{{ gr_post(id: "{posts["top"]}") {rest} }}'
    found = data(sales, asked)["gr_post"]
    assert found["tags_ids"] == [posts["manager"], posts["sales"]]
    assert [tag["name"] for tag in found["tags"] if tag] == ["sales"]
    assert (found["below"], len(found["readers"])) == (1, 1)


def test_filters_over_lists_and_trees(sales: Caller, posts: dict[str, str]) -> None:
    for field, operator, value, names in (
        ("tags", "contains", posts["sales"], ["top"]),
        ("above", "under", posts["top"], ["leaf", "middle"]),
        ("above", "above", posts["leaf"], ["middle", "top"]),
    ):
        where = f'{{{field}: {{{operator}: "{value}"}}}}'
        text = f"{{ gr_post_list(where: {where}, orderBy: [{{name: ASC}}]) {{ nodes {{ name }} }} }}"
        found = data(sales, text)["gr_post_list"]["nodes"]
        assert [node["name"] for node in found] == names, where
