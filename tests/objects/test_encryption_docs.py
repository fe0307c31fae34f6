"""docs/encryption.md is true: its definition loads, its commands run."""

import re

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.core.actor import SYSTEM
from apps.objects import records
from apps.objects.parse import load_yaml
from apps.objects.publish import publish_in

PAGE = (settings.BASE_DIR / "docs" / "encryption.md").read_text(encoding="utf-8")


def commands():
    return re.findall(r"^python manage\.py encryption (.*)$", PAGE, re.MULTILINE)


def test_the_example_and_the_commands(fresh_tenant, capsys):
    definition = load_yaml(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])
    assert [f.encrypted for f in definition.encrypted_fields] == ["equality", "value", "equality"]
    publish_in(fresh_tenant, [definition], by=SYSTEM)
    records.create("hr_person", {"name": "Ann", "iban": "DE1", "salary": 5}, by=SYSTEM, tenant=fresh_tenant)
    said = []
    for line in commands():
        words = re.findall(r'"[^"]*"|\S+', line.replace("acme", fresh_tenant.slug))
        call_command("encryption", *[word.strip('"') for word in words])
        said.append(capsys.readouterr().out)
    assert len(said) == 3
    assert "A new key is in use" in said[0]
    assert "key 1: 2 values\nkey 2: 0 values" in said[1]
    assert said[2] == "3 keys destroyed.\n"
    call_command("encryption", "status", "--tenant", fresh_tenant.slug)
    assert "2 values whose key is gone" in capsys.readouterr().out


def test_destroying_wants_the_name_twice(fresh_tenant):
    wanted = ("destroy", "--tenant", fresh_tenant.slug, "--yes", "other", "--reason", "x")
    with pytest.raises(CommandError):
        call_command("encryption", *wanted)
    with pytest.raises(CommandError):
        call_command("encryption", "status", "--tenant", "nobody")
