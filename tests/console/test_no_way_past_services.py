"""Django's generic forms write past the services, so none of them answers."""

from typing import Any

import pytest
from django.test import Client

from apps.console.deeds import Deed
from apps.console.registers import REGISTERS
from apps.console.registers.register import Register
from apps.console.urls import console_site
from apps.core.scope import platform_scope
from tests.people import People

MODELS = sorted(REGISTERS, key=lambda model: model._meta.label)


def test_only_our_registers_are_on_the_site() -> None:
    assert set(console_site._registry) == set(REGISTERS)
    assert all(isinstance(each, Register) for each in console_site._registry.values())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_generic_forms_are_closed(superuser: Client, people: People, model: Any) -> None:
    base = f"/console/{model._meta.app_label}/{model._meta.model_name}/"
    with platform_scope("tests of the console"):
        row = model.objects.first()
        before = model.objects.count()
    assert superuser.get(f"{base}add/").status_code == 403
    assert superuser.post(f"{base}add/", {"name": "x"}).status_code == 403
    if row is not None:
        assert superuser.post(f"{base}{row.pk}/change/", {"name": "changed"}).status_code == 403
        assert superuser.get(f"{base}{row.pk}/delete/").status_code == 403
        assert superuser.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        actions = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
        superuser.post(base, actions)
    with platform_scope("tests of the console"):
        assert model.objects.count() == before


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_look_at_a_deed_changes_nothing(
    superuser: Client, people: People, model: Any, entries: Any
) -> None:
    register = console_site._registry[model]
    with platform_scope("tests of the console"):
        row = model.objects.first()
    before = len(entries())
    for deed in register.deeds if row is not None else ():
        answer = superuser.get(
            f"/console/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/do/{deed.name}/"
        )
        assert answer.status_code in {200, 404, 409}
    assert len(entries()) == before


def test_every_deed_says_what_it_is_about() -> None:
    for model, register in console_site._registry.items():
        names = [deed.name for deed in register.deeds]
        assert len(names) == len(set(names)), model
        for deed in register.deeds:
            assert deed.label
            assert deed.icon
            assert type(deed).question is not Deed.question, deed
