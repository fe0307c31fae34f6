"""The page about expressions tells the truth: its example, its functions, its figures."""

import re

from django.conf import settings

from apps.core.cel.library import FUNCTIONS
from apps.core.cel.running import CLOCK
from apps.core.cel.signatures import FUNCTIONS as SIGNATURES
from apps.objects import conditions
from apps.objects.expressions import USER
from apps.objects.parse import load_yaml
from apps.objects.validations import RULE_TYPES
from tests.core.cel import test_vectors as vectors

PAGE = (settings.BASE_DIR / "docs" / "expressions.md").read_text()


def test_the_example_is_a_definition():
    offer = load_yaml(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    ready = conditions.of(offer)
    assert [rule.said.name for rule in ready.rules] == ["discount", "flow"]
    assert (set(ready.required), set(ready.defaults)) == ({"reason"}, {"valid_until"})


def test_the_formulas_are_a_definition():
    line = load_yaml(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])
    assert (line.fields["gross"].return_type, line.fields["gross"].reads) == (
        "currency",
        {"price", "quantity"},
    )


def test_every_function_has_a_signature_a_body_and_a_place_on_the_page():
    assert set(SIGNATURES) == set(FUNCTIONS) | set(CLOCK)
    unsaid = {"uint", "bytes", "type", "dyn", "decimal"} | {
        name for name in SIGNATURES if name.startswith("get")
    }
    assert [name for name in SIGNATURES if name not in unsaid and not re.search(rf"\b{name}\b", PAGE)] == []


def test_every_type_of_rule_and_what_is_known_of_people_is_on_the_page():
    assert all(f"`{name}`" in PAGE for name in (*RULE_TYPES, "id", "email", "name", "positions"))
    assert {"id", "email", "name", "positions"} <= set(USER.fields)


def test_the_figures_are_those_of_the_vectors():
    counts = {"all": 0, "left": 0, "passed": 0}
    for file in vectors.FILES:
        for _name, test in vectors.cases(file):
            counts["all"] += 1
            if vectors.left_out(test, test["expr"][0].decode()):
                counts["left"] += 1
            elif vectors.verdict(test) is None:
                counts["passed"] += 1
    assert f"{counts['passed']} of the {counts['all']:,} published" in PAGE
    assert counts["all"] - counts["left"] - counts["passed"] == len(vectors.KNOWN)
