"""Saved views of lists: who sees which, keeping, sharing, choosing the first."""

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.audit import ledger
from apps.core.actor import Actor
from apps.core.errors import Conflict, FieldError, Invalid, NotFound, PermissionDenied
from apps.objects.catalog import catalog
from apps.permissions.access import access_for
from apps.portal.models import DefaultView, SavedView

KEPT = ("columns", "sort", "f", "q", "as", "by")
MOST_PER_MEMBER = 50


@dataclass(frozen=True)
class ViewChoice:
    """A view as the tabs show it."""

    id: str
    name: str
    shared: bool
    mine: bool
    default: bool
    query: dict[str, list[str]]


def visible(object_name: str, user_id: UUID) -> list[ViewChoice]:
    """Return the member's own views of a list and the shared ones, by name."""
    rows = SavedView.objects.filter(Q(user_id=user_id) | Q(shared=True), object_name=object_name)
    default = (
        DefaultView.objects.filter(user_id=user_id, object_name=object_name)
        .values_list("view_id", flat=True)
        .first()
    )
    return [
        ViewChoice(str(v.id), v.name, v.shared, v.user_id == user_id, v.id == default, v.query)
        for v in sorted(rows, key=lambda v: v.name.casefold())
    ]


@transaction.atomic
def save(*, object_name: str, name: str, query: str, shared: bool, default: bool, by: Actor) -> SavedView:
    """Keep a list's address under a name; the member's own view of that name is replaced."""
    user_id = _member(by, object_name)
    label = name.strip()
    if not label or len(label) > 80:
        message = _("Give the view a name of at most 80 characters.")
        raise Invalid(message, [FieldError("name", "required", message)])
    given = QueryDict(query.lstrip("?"))
    kept = {key: given.getlist(key)[:30] for key in KEPT if key in given}
    mine = SavedView.objects.filter(user_id=user_id, object_name=object_name)
    view = mine.filter(name=label).first()
    if view is None and mine.count() >= MOST_PER_MEMBER:
        raise Conflict(_("You have 50 views of this list. Delete one first."), code="QUOTA_EXCEEDED")
    before = {"name": view.name, "shared": view.shared} if view else None
    view = view or SavedView(user_id=user_id, object_name=object_name, name=label)
    view.query, view.shared = kept, shared
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        raise Conflict(_("You have a view of this name already.")) from error
    after = {"name": view.name, "shared": view.shared, "object": object_name}
    ledger.record("view.saved", by=by, target=f"view:{view.id}", before=before, after=after)
    if default:
        _open_with(view, user_id)
    return view


@transaction.atomic
def delete(*, view_id: UUID, by: Actor) -> None:
    """Delete an own view; shared views of others may be deleted by who manages the settings."""
    view = SavedView.objects.filter(pk=view_id).first()
    if view is None or (view.user_id != by.user_id and not view.shared):
        raise NotFound(_("There is no such view."))
    if view.user_id != by.user_id and not access_for(by).has_system("manage_settings"):
        raise PermissionDenied(_("Only who made a view, or an administrator, may delete it."))
    ledger.record(
        "view.deleted",
        by=by,
        target=f"view:{view.id}",
        before={"name": view.name, "object": view.object_name},
    )
    view.delete()


@transaction.atomic
def open_with(*, view_id: UUID | None, object_name: str, by: Actor) -> None:
    """Choose the view with which the list opens for the member; None for the standard."""
    user_id = _member(by, object_name)
    if view_id is None:
        DefaultView.objects.filter(user_id=user_id, object_name=object_name).delete()
        return
    view = SavedView.objects.filter(
        Q(user_id=user_id) | Q(shared=True), pk=view_id, object_name=object_name
    ).first()
    if view is None:
        raise NotFound(_("There is no such view."))
    _open_with(view, user_id)


def _open_with(view: SavedView, user_id: UUID) -> None:
    DefaultView.objects.update_or_create(
        user_id=user_id, object_name=view.object_name, defaults={"view": view}
    )


def _member(by: Actor, object_name: str) -> UUID:
    access_for(by).require("read", catalog().object(object_name))
    if by.user_id is None:
        raise PermissionDenied
    return by.user_id
