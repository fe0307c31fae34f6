"""Words in the reader's language: the locales there are, and the labels of objects and fields."""

from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse

from apps.api import answers
from apps.api.call import Call
from apps.api.contract import OBJECT, TEXT, array, describe, shape
from apps.api.door import NONE, Door
from apps.api.meta.doors import visible_object
from apps.api.meta.sources import seen_fields, visible_objects
from apps.core.errors import Problem
from apps.objects.definitions import ObjectDef
from apps.permissions.access import access_for

_LONGEST = 35


def _locale(text: str) -> str:
    if len(text) > _LONGEST or not text.replace("-", "").replace("_", "").isalnum():
        raise Problem("INVALID_REQUEST", f"{text[:_LONGEST]!r} is not the code of a language.", status=400)
    return text.replace("_", "-").lower()


def _success(data: Any) -> Any:
    return shape(success={"const": True}, data=data)


def _field_labels(obj: ObjectDef, names: frozenset[str], locale: str) -> dict[str, Any]:
    labels: dict[str, Any] = {}
    for name in obj.all_fields:
        if name not in names:
            continue
        field = obj.all_fields[name]
        labels[name] = {"label": obj.field_label(name, locale)}
        if field.options:
            values = {item.value: obj.option_label(name, item.value, locale) for item in field.options}
            labels[name]["options"] = values
    return labels


class LocalesDoor(Door):
    """`GET /i18n/locales`."""

    opens: ClassVar[frozenset[str]] = NONE

    @describe("The languages of this installation", answer=_success(shape(locales=array(OBJECT))))
    def get(self, call: Call) -> HttpResponse:
        default = call.snapshot.locale if call.snapshot else settings.LANGUAGE_CODE
        locales = [
            {"code": code, "label": str(label), "isDefault": code == default}
            for code, label in settings.LANGUAGES
        ]
        return answers.success({"locales": locales})


class LabelsDoor(Door):
    """`GET /i18n/labels/:object/:locale`."""

    @describe(
        "The labels of one object's fields", answer=_success(shape(object=TEXT, locale=TEXT, labels=OBJECT))
    )
    def get(self, call: Call, name: str, locale: str) -> HttpResponse:
        access = access_for(call.actor)
        obj = visible_object(name, access)
        labels = _field_labels(obj, seen_fields(obj, access), _locale(locale))
        return answers.success({"object": obj.name, "locale": locale, "labels": labels})


class TranslationsDoor(Door):
    """`GET /i18n/translations/:locale`."""

    @describe("All labels in one language", answer=_success(shape(locale=TEXT, translations=OBJECT)))
    def get(self, call: Call, locale: str) -> HttpResponse:
        access, code = access_for(call.actor), _locale(locale)
        objects = {
            obj.name: {
                "label": obj.label_for(code),
                "pluralLabel": obj.label_for(code, plural=True),
                "fields": _field_labels(obj, seen_fields(obj, access), code),
            }
            for obj in visible_objects(access)
        }
        return answers.success({"locale": locale, "translations": {"objects": objects}})
