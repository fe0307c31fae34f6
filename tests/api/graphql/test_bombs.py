"""R30, GraphQL's part: documents and bodies made to hurt are refused within a second and 256 MB."""

import resource
import time

import pytest

from tests.api.graphql.conftest import PATH, data, post

pytestmark = pytest.mark.usefixtures("api")
CPU_SECONDS = 1.0
MEMORY = 256 * 1024  # kilobytes
RESPONSE = "application/graphql-response+json"
LIST = "api_lead_list"


def fragments(count, spread, last="me { id }"):
    """Return fragments of which each spreads the next one several times."""
    made = [
        f"fragment f{i} on Query {{ a{i}: me {{ id }} {f'...f{i + 1} ' * spread} }}" for i in range(count)
    ]
    return "{ ...f0 }\n" + "\n".join(made) + f"\nfragment f{count} on Query {{ {last} }}"


def nested(levels, width):
    """Return relations in relations, each asked for `width` times."""
    inner = "id"
    for level in range(levels):
        one = f"api_lead_by_account {{ nodes {{ {inner} }} }}" if level % 2 else f"account {{ {inner} }}"
        inner = " ".join([one] * width)
    return f"{{ {LIST} {{ nodes {{ {inner} }} }} }}"


def listed(arguments):
    """Return the count of a list asked for with these arguments."""
    return f"{{ {LIST}({arguments}) {{ totalCount }} }}"


DOCUMENTS = {
    "many aliases": f"{{ {' '.join(f'a{i}: {LIST} {{ totalCount }}' for i in range(900))} }}",
    "twenty-one lists": f"{{ {' '.join(f'a{i}: {LIST} {{ totalCount }}' for i in range(21))} }}",
    "many fields": f"{{ {LIST} {{ nodes {{ {' '.join(f'a{i}: name' for i in range(1001))} }} }} }}",
    "one field often": f"{{ {LIST} {{ nodes {{ {'name ' * 900} }} }} }}",
    "fields in fields": "{ a " * 30_000,
    "a deep selection": "{ me " * 200 + "}" * 200,
    "fragments doubled": fragments(30, 2),
    "fragments tripled": fragments(40, 3),
    "a fragment of itself": "{ ...a } fragment a on Query { me { id } ...a }",
    "a circle of fragments": fragments(20, 1, "...f0"),
    "many fragments": fragments(60, 1),
    "many operations": " ".join(f"query q{i} {{ me {{ id }} }}" for i in range(60)),
    "many directives": "{ me { id " + "@include(if: true) " * 200 + "} }",
    "directives on fragments": "{ " + "...a @include(if: true) " * 200 + "} fragment a on Query { me { id } }",
    "many variables": "query(" + " ".join(f"$v{i}: Int" for i in range(150)) + ") { me { id } }",
    "relations in relations": nested(6, 1),
    "relations multiplied": nested(4, 4),
    "many records": f"{{ {LIST}(first: 1000) {{ nodes {{ account {{ api_lead_by_account(first: 1000) {{ nodes {{ id }} }} }} }} }} }}",
    "a long page": f"{{ {LIST}(first: 1000000000) {{ nodes {{ id }} }} }}",
    "introspection in introspection": "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
    "introspection often": f"{{ {' '.join(f'a{i}: __schema {{ types {{ name }} }}' for i in range(15))} }}",
    "a long alias": f"{{ {'a' * 60_000}: me {{ id }} }}",
    "a long string": listed('where: {name: {eq: "' + "x" * 60_000 + '"}}'),
    "many values": listed("where: {name: {in: [" + '"x" ' * 3000 + "]}}"),
    "conditions in conditions": listed("where: " + "{_not: " * 150 + "{}" + "}" * 150),
    "lists in lists": listed("where: " + "[" * 5000 + "]" * 5000),
    "many conditions": listed("where: {_or: [" + '{name: {eq: "x"}} ' * 900 + "]}"),
    "a long number": listed("where: {score: {eq: " + "9" * 50_000 + "}}"),
    "a far page": listed("offset: 2000000000"),
    "many orders": listed("orderBy: [" + "{name: ASC} " * 1500 + "]"),
    "a long cursor": listed('after: "' + "A" * 60_000 + '"'),
    "a comment": "#" + "x" * 70_000 + "\n{ me { id } }",
    "unknown fields": f"{{ {' '.join(f'nope{i}' for i in range(900))} }}",
    "block strings": listed("search: " + '"""a""" ' * 2000),
}  # fmt: skip
# What is well-formed GraphQL and refused by the query's own limits has an error beside its data.
WITHIN = {
    "many values", "conditions in conditions", "many conditions", "a far page", "many orders", "a long cursor",
    "a long string", "a long number",
}  # fmt: skip
BODIES = {
    "a batch": [{"query": "{ me { id } }"}] * 10_000,
    "deep variables": b'{"query": "{me{id}}", "variables": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "a variable of lists": {"query": "query($w: ApiLeadWhere) { api_lead_list(where: $w) { totalCount } }",
                            "variables": {"w": {"_or": [{"nope": {}}] * 20_000}}},
    "a large body": b'{"query": "' + b"x" * (1024 * 1024) + b'"}',
    "a large document": {"query": "{ me { id } } " + " " * 900_000},
    "an unknown hash": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
    "a long hash": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 900_000}}},
}  # fmt: skip


def cheaply(ask):
    """Return the answer of `ask`, which must be cheap and short."""
    start, most = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = ask()
    assert time.process_time() - start <= CPU_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most <= MEMORY
    assert len(answer.content) < 20_000
    return answer


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_made_to_hurt_is_refused_cheaply(owner, name):
    data(owner, "{ me { id } }")
    answer = cheaply(lambda: post(owner, DOCUMENTS[name], HTTP_ACCEPT=RESPONSE))
    body = answer.json()
    assert body["errors"][0]["extensions"]["code"].isupper()
    if name in WITHIN and answer.status_code == 200:
        assert body["data"] == {LIST: None}
    else:
        assert 400 <= answer.status_code < 500
        assert "data" not in body
    assert data(owner, "{ me { name } }")


@pytest.mark.parametrize("name", BODIES)
def test_a_body_made_to_hurt_is_refused_cheaply(owner, name):
    answer = cheaply(lambda: owner.post(PATH, BODIES[name], HTTP_ACCEPT=RESPONSE))
    assert 400 <= answer.status_code < 500, answer.content[:300]
    assert answer.json()["errors"]


def test_there_are_bombs_enough():
    assert len(DOCUMENTS) + len(BODIES) >= 25


def test_the_limits_are_no_wall_around_honest_documents(owner):
    """Negative control: what stays just within the limits is answered."""
    twenty = " ".join(f"a{i}: {LIST} {{ totalCount }}" for i in range(20))
    assert len(data(owner, f"{{ {twenty} }}")) == 20
    inside = "{ api_lead_list(first: 2) { nodes { account { api_lead_by_account { nodes { account { name } } } } } } }"
    assert data(owner, inside)
    assert data(
        owner, f"{{ {LIST}(first: 1000) {{ nodes {{ {' '.join(f'a{i}: name' for i in range(900))} }} }} }}"
    )
    assert data(owner, fragments(19, 1))
