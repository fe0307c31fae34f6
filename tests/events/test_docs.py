"""The page about events tells the truth: its examples run, its module loads."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.events import hooks, outbox, partitions, registry
from apps.events.delivery import GROUP, Delivery
from apps.events.models import HookState
from apps.events.reader import Reader, lag
from apps.modules.source import load
from tests.events.working import clear, until

PAGE = (settings.BASE_DIR / "docs" / "events.md").read_text()
ORDER = """
name: shop_order
fields:
  name: {type: text}
  state: {type: text}
  note: {type: text}
"""


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


@pytest.fixture(autouse=True)
def quiet(acme: TenantRef, own_tasks: None) -> Iterator[None]:
    before = dict(hooks.own._values)
    clear()
    yield
    hooks.own._values.clear()
    hooks.own._values.update(before)
    clear()


def test_the_examples_run(acme: TenantRef, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "example"}
    exec(block("python"), names)  # our own page
    exec(block("python", 1), names)
    registry.register(registry.EventType("crm.lead.seen", "Seen."))
    with tenant_scope(acme):
        names["score"]("7", SYSTEM)  # type: ignore[operator]
        outbox.emit("crm.lead.seen", subject="crm_lead:7", by=SYSTEM)
        outbox.emit("crm.lead.seen", subject="crm_lead:8", by=SYSTEM)

    def everything() -> bool:
        Reader(GROUP, Delivery(), bus="postgresql").drain()
        return not lag(GROUP, bus="postgresql").events

    until(everything)
    assert capsys.readouterr().out.splitlines() == [
        "crm_lead:7 7",
        "The first lead of this tenant: crm_lead:7",
    ]
    with platform_scope("test"):
        HookState.objects.all().delete()


def test_the_module_loads(tmp_path: Path) -> None:
    home = tmp_path / "shop"
    (home / "objects").mkdir(parents=True)
    (home / "module.yaml").write_text(block("yaml"))
    (home / "objects" / "shop_order.yml").write_text(ORDER)
    source = load(home)
    assert [item["name"] for item in source.manifest.hooks] == ["praise"]


def test_the_figures_are_those_of_the_code() -> None:
    assert f"ends after {['', '', '', '', '', '', '', '', 'eight'][hooks.DEEPEST]} rounds" in PAGE
    assert f"days ahead ({'seven' if partitions.AHEAD == 7 else ''})" in PAGE
    assert f"`EVENTS_KEEP_DAYS` ({settings.EVENTS_KEEP_DAYS})" in PAGE
    assert f"({hooks.NORMAL} unless said)" in PAGE
