"""The pages about objects and modules tell the truth."""

import re
import shlex

import pytest
import yaml
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.core.actor import SYSTEM
from apps.core.db.owner import owner_session
from apps.core.scope import tenant_scope
from apps.modules.source import load
from apps.objects.kinds import public_kinds
from apps.objects.parse import load_body, load_yaml
from apps.objects.parse.field_keys import GENERAL
from apps.objects.publish import plan_objects, publish_objects

DOCS = settings.BASE_DIR / "docs"
FIRST = (DOCS / "first-object.md").read_text()
OBJECTS = (DOCS / "objects.md").read_text()
MODULES = (DOCS / "modules.md").read_text()


def block(text, language, number=0):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[number]


def test_first_object_publishes_and_its_rename_keeps_the_column(acme):
    text = block(FIRST, "yaml")
    renamed = re.sub(r"  budget: .*\n", block(FIRST, "yaml", 1), text)
    renamed = renamed.replace("name, budget, starts", "name, amount, starts")
    with owner_session(), tenant_scope(acme):
        publish_objects([load_yaml(text)], by=SYSTEM)
        plan = plan_objects([load_yaml(renamed)])
        assert plan.risk == "safe"
        assert any("its values stay" in step.sentence for step in plan.steps)
        transaction.set_rollback(True)


def test_every_type_and_general_key_is_on_the_page():
    for kind in public_kinds():
        assert f"`{kind}`" in OBJECTS
    for key in GENERAL - {"type"}:
        assert f"`{key}`" in OBJECTS


def test_the_example_of_permissions_is_right():
    load_yaml("name: contacts\n" + block(OBJECTS, "yaml") + "  name: {type: text}\n")


def test_the_example_of_record_types_is_right():
    fields = {
        "name": {"type": "text"},
        "kind": {"type": "select", "options": ["person", "company"]},
        "stage": {"type": "select", "options": ["new", "met"]},
        "born": {"type": "date"},
        "vat_no": {"type": "text"},
    }
    place = next(n for n in range(10) if block(OBJECTS, "yaml", n).startswith("recordTypes"))
    assert load_body({"name": "shop_party", "fields": fields} | yaml.safe_load(block(OBJECTS, "yaml", place)))


def test_the_example_manifest_is_right(tmp_path):
    folder = tmp_path / "shop"
    (folder / "objects").mkdir(parents=True)
    (folder / "module.yaml").write_text(block(MODULES, "yaml"))
    (folder / "objects" / "order.yml").write_text("name: shop_order\nfields:\n  title: {type: text}\n")
    assert load(folder).manifest.dependencies == {"crm": "^1.0.0"}


def test_every_command_of_the_page_runs(fresh_tenant, capsys):
    for line in block(MODULES, "sh").splitlines():
        words = shlex.split(line.split("#")[0].replace("--tenant acme", f"--tenant {fresh_tenant.slug}"))[1:]
        words = [str(settings.BASE_DIR / w) if w.startswith("modules/") else w for w in words]
        if words[1] == "uninstall":
            with pytest.raises(CommandError, match="still has records"):
                call_command(*words)
            words.append("--force")
        if words[1] == "register":
            words.append("--replace")
        call_command(*words)
    said = capsys.readouterr().out
    assert "Installed crm 1.2.0." in said
    assert "CREATE TABLE" in said
    assert "Removed crm." in said


def test_every_link_leads_somewhere():
    for page in ("first-object.md", "objects.md", "modules.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text()):
            assert (DOCS / target).exists(), f"{page}: {target}"


def test_yaml_blocks_are_yaml():
    for text in (FIRST, OBJECTS, MODULES):
        for found in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
            yaml.safe_load(found)
