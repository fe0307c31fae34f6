"""What modules add to the registries below: events, jobs' and keys' names, a step of opening a tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core.actor import Actor
from apps.events import hooks, registry
from apps.events.audience import audiences
from apps.events.registry import EventType, register
from apps.modules import listening, reactions
from apps.modules.install import add_demo, install
from apps.modules.manifest import AUTHOR_KEYS, MANIFEST_KEYS
from apps.objects.parse.declare import declare_shapes
from apps.permissions.audience import Holders
from apps.tenants import provision
from apps.tenants.models import Tenant

TEXT = {"type": "string"}
DATA = {"type": "object", "required": ["module", "version"], "properties": {"module": TEXT, "version": TEXT}}


def declare() -> None:
    """Fill the registries; called once, when the applications are ready."""
    register(
        EventType("module.installed", "A tenant installed a module.", DATA),
        EventType("module.upgraded", "A tenant's module came to another version.", DATA),
        EventType("module.uninstalled", "A tenant removed a module.", DATA),
    )
    managers = Holders("manage_modules")
    for verb in ("installed", "upgraded", "uninstalled"):
        audiences.register(f"module.{verb}", managers)
    registry.sources.register("modules", registry.TypeSource(listening.find_type))
    hooks.sources.register("modules", hooks.Source(listening.tenants_hooks))
    declare_shapes(
        {
            "module": MANIFEST_KEYS,
            "module.author": AUTHOR_KEYS,
            "module.events": reactions.TYPE_KEYS,
            "module.hooks": reactions.HOOK_KEYS,
            "module.hooks.when": reactions.WHEN_KEYS,
            "module.hooks.do": reactions.DEED_KEYS,
        }
    )
    provision.steps.register("modules", provision.Step("Modules", install_ordered))


def install_ordered(tenant: Tenant, seed: Mapping[str, Any], by: Actor) -> None:
    """Install the modules that an order names (`seed["modules"]`), with demo records if it asks (`seed["demo"]`)."""
    for module in seed.get("modules", ()):
        install(module, by=by)
        if seed.get("demo"):
            add_demo(module, by=by)
