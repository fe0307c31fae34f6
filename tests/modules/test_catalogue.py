"""The catalogue keeps versions as they were registered."""

import pytest
from django.conf import settings

from apps.core.actor import SYSTEM
from apps.core.errors import Conflict, NotFound, PermissionDenied
from apps.modules import catalogue
from apps.modules.models import Version
from apps.modules.source import load

MANIFEST = "id: shop\nname: Shop\nversion: {version}\napiVersion: v1\npermissions: [objects:define]\n"


@pytest.fixture
def shop(tmp_path):
    def write(version="1.0.0", label="Order"):
        folder = tmp_path / "shop"
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        (folder / "module.yaml").write_text(MANIFEST.format(version=version))
        text = f"name: shop_order\nlabel: {label}\nfields:\n  title: {{type: text}}\n"
        (folder / "objects" / "order.yml").write_text(text)
        return load(folder)

    return write


def test_a_version_never_changes(platform, shop):
    first = catalogue.register(source=shop(), by=SYSTEM)
    assert catalogue.register(source=shop(), by=SYSTEM) == first
    with pytest.raises(Conflict) as refused:
        catalogue.register(source=shop(label="Changed"), by=SYSTEM)
    assert refused.value.code == "VERSION_EXISTS"
    assert Version.objects.get(pk=first.pk).checksum == first.checksum
    catalogue.register(source=shop(label="Changed"), by=SYSTEM, replace=True)
    assert Version.objects.get(pk=first.pk).checksum != first.checksum


def test_the_newest_release_is_taken(platform, shop):
    for version in ("1.9.0", "1.10.0", "2.0.0-beta.1"):
        catalogue.register(source=shop(version=version), by=SYSTEM)
    assert catalogue.version_of("shop").version == "1.10.0"
    assert catalogue.version_of("shop", "2.0.0-beta.1").version == "2.0.0-beta.1"
    with pytest.raises(NotFound):
        catalogue.version_of("shop", "3.0.0")


def test_members_register_nothing(platform, shop, people):
    with pytest.raises(PermissionDenied):
        catalogue.register(source=shop(), by=people.actor("owner"))


def test_all_on_disk(platform, tmp_path, monkeypatch):
    assert {v.module.code for v in catalogue.register_all(by=SYSTEM, replace=True)[0]} >= {"crm"}
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "module.yaml").write_text("id: broken\n")
    monkeypatch.setattr(settings, "MODULES_ROOT", str(tmp_path))
    made, kept_out = catalogue.register_all(by=SYSTEM)
    assert made == []
    assert len(kept_out) == 1
