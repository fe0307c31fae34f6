"""A module's folder is judged as a whole, and nothing in it is ever run."""

import contextlib
import csv
import io
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from apps.modules.semver import Version, satisfies
from apps.modules.source import load
from apps.objects.parse import DefinitionErrors

CRM = Path(settings.BASE_DIR) / "modules" / "crm"
MANIFEST = """
id: shop
name: Shop
version: 1.0.0
apiVersion: v1
description: Sells things.
author: {name: Ann, email: ann@example.com}
license: MIT
permissions: [objects:define, permission_sets:define, records:create]
"""
ORDER = "name: shop_order\nfields:\n  title: {type: text}\n  parent: {type: lookup, reference: shop_order}\n"


@pytest.fixture
def shop(tmp_path):
    """A small right module; `shop(path=text)` changes or adds files."""
    folder = tmp_path / "shop"

    def write(**files):
        everything = {"module.yaml": MANIFEST, "objects/order.yml": ORDER} | files
        for name, text in everything.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return write


def faults(folder):
    with pytest.raises(DefinitionErrors) as refused:
        load(folder)
    return {(e.file, e.code) for e in refused.value.errors}


def test_the_crm_is_right():
    source = load(CRM)
    assert len(source.objects) == 4
    assert sum(len(rows) for rows in source.data.values()) >= 60
    for body in source.objects.values():
        assert set(body["translations"]) == {"de", "zh-hans", "ja", "ar"}


def test_every_crm_label_is_translated():
    for body in load(CRM).objects.values():
        for words in body["translations"].values():
            assert set(words["fields"]) == set(body["fields"])
            assert set(words["listViews"]) == set(body["listViews"])


def test_crm_data_name_only_what_is_there():
    def rows(name):
        return list(csv.DictReader(io.StringIO((CRM / "data" / f"{name}.csv").read_text("utf-8"))))

    accounts = {row["@"] for row in rows("crm_account")}
    assert {row["account"].removeprefix("@") for row in rows("crm_opportunity")} <= accounts


def test_manifest(shop):
    manifest = load(shop()).manifest
    assert (manifest.id, str(manifest.version), manifest.license) == ("shop", "1.0.0", "MIT")
    assert manifest.author == {"name": "Ann", "email": "ann@example.com"}
    assert manifest.prefix == "shop_"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("version: 1.0.0", "version: 1.0", "invalid_value"),
        ("version: 1.0.0", "", "required"),
        ("apiVersion: v1", "apiVersion: v9", "invalid_value"),
        ("id: shop", "id: Shop!", "invalid_name"),
        ("license: MIT", "resourceLimits: {cpu: 1}", "unsupported"),
        ("license: MIT", "licence: MIT", "unknown_key"),
        ("license: MIT", "dependencies: [billing]", "invalid_value"),
        ("license: MIT", "dependencies: {billing: '^x'}", "invalid_value"),
        ("records:create", "anything:else", "invalid_value"),
    ],
)
def test_manifest_faults(shop, old, new, code):
    assert ("module.yaml", code) in faults(shop(**{"module.yaml": MANIFEST.replace(old, new)}))


def test_all_faults_of_all_files_at_once(shop):
    found = faults(
        shop(
            **{
                "module.yaml": MANIFEST.replace("id: shop", "id: other"),
                "objects/bad.yml": "name: shop_bad\nfields:\n  a: {type: txt}\n",
                "permission_sets/shop_s.yml": "name: shop_s\nobjects: {ghost: {allowRead: maybe}}\n",
                "translations/de.yml": "objects: {ghost: {label: x}}\n",
                "data/ghost.csv": "a\n1\n",
                "hooks/install.py": "raise SystemExit\n",
            }
        )
    )
    assert found >= {
        ("module.yaml", "invalid_name"),
        ("objects/bad.yml", "invalid_value"),
        ("permission_sets/shop_s.yml", "unknown_object"),
        ("permission_sets/shop_s.yml", "invalid_boolean"),
        ("translations/de.yml", "unknown_object"),
        ("data/ghost.csv", "unknown_object"),
        ("hooks/install.py", "unknown_file"),
    }


def test_names_carry_the_modules_prefix(shop):
    assert ("objects/order.yml", "invalid_name") in faults(
        shop(**{"objects/order.yml": "name: order\nfields:\n  a: {type: text}\n"})
    )
    assert ("permission_sets/s.yml", "invalid_name") in faults(
        shop(**{"permission_sets/s.yml": "name: s\nobjects: {}\n"})
    )


def test_content_needs_its_permission(shop):
    manifest = MANIFEST.replace("objects:define, permission_sets:define, records:create", "objects:define")
    data = {"data/shop_order.csv": "title\nx\n"}
    assert faults(shop(**{"module.yaml": manifest}, **data)) == {("module.yaml", "permission")}


def test_a_modules_set_grants_nothing_beyond_the_module(shop):
    text = "name: shop_s\nsystemPermissions: [manage_members]\nobjects: {shop_order: {allowRead: true}}\n"
    assert ("permission_sets/shop_s.yml", "not_applicable") in faults(
        shop(**{"permission_sets/shop_s.yml": text})
    )


def test_a_link_out_of_the_folder_is_refused(shop, tmp_path):
    folder = shop()
    (tmp_path / "secret").write_text("secret")
    (folder / "README.md").symlink_to(tmp_path / "secret")
    assert faults(folder) == {("README.md", "unknown_file")}


def test_the_checksum_is_of_the_content(shop):
    first = load(shop()).checksum
    assert load(shop()).checksum == first
    assert load(shop(**{"objects/order.yml": ORDER + "label: Order\n"})).checksum != first


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("1.4.2", "^1.2.0", True),
        ("2.0.0", "^1.2.0", False),
        ("1.1.9", "^1.2.0", False),
        ("0.3.1", "^0.3.0", True),
        ("0.4.0", "^0.3.0", False),
        ("1.2.9", "~1.2.3", True),
        ("1.3.0", "~1.2.3", False),
        ("9.0.0", ">=1.0.0", True),
        ("1.0.0", "1.0.0", True),
        ("1.0.1", "=1.0.0", False),
        ("0.0.1", "*", True),
        ("1.2.0-beta.1", "^1.2.0", False),
    ],
)
def test_ranges(version, wanted, fits):
    assert satisfies(Version.parse(version), wanted) is fits


def test_versions_sort():
    texts = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0",
        "1.0.1",
        "1.10.0",
    ]
    assert [str(v) for v in sorted(map(Version.parse, reversed(texts)))] == texts


@given(st.text(max_size=20))
def test_any_text_is_a_version_or_refused(text):
    with contextlib.suppress(ValueError):
        assert str(Version.parse(text)) == text
