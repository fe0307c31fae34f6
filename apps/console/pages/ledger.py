"""The ledger browser: the platform's book and every tenant's, with the button that recomputes a chain."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.audit import queries
from apps.audit.types import LedgerEntry, Page, Verdict
from apps.console.deeds import offer
from apps.console.operator import actor_of, sees_everything, tenants_of
from apps.console.pages.page import ConsolePage
from apps.console.privacy import entry_is_open
from apps.core.scope import TenantRef, tenant_scope
from apps.events.health import verifying
from apps.identity.models import User
from apps.tenants.models import Tenant

PLATFORM = "platform"


class DayInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(attrs={"class": "c-input"}, format="%Y-%m-%d")


class LedgerFilter(forms.Form):
    """Which book, and which of its entries."""

    book = forms.ChoiceField(label=gettext_lazy("Ledger"), required=False, widget=UnfoldAdminSelectWidget)
    action = forms.CharField(
        label=gettext_lazy("Action"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "tenant.*"}),
    )
    actor = forms.CharField(
        label=gettext_lazy("Actor"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "operator:…"}),
    )
    target = forms.CharField(
        label=gettext_lazy("Target"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "tenant:…"}),
    )
    since = forms.DateField(label=gettext_lazy("From"), required=False, widget=DayInput)
    until = forms.DateField(label=gettext_lazy("To"), required=False, widget=DayInput)

    def __init__(self, *args: Any, books: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "book", books)

    def filters(self) -> queries.Filters:
        """The question for the ledger; days are whole days in the operator's zone."""
        values = self.cleaned_data
        return queries.Filters(
            action=values["action"].strip(),
            actor=values["actor"].strip(),
            target=values["target"].strip(),
            since=_midnight(values["since"]),
            until=_midnight(values["until"] + dt.timedelta(days=1)) if values["until"] else None,
        )


def _midnight(day: dt.date | None) -> dt.datetime | None:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min)) if day else None


class LedgerBooks(ConsolePage):
    """A page about one ledger, chosen by `book`."""

    def books(self) -> list[tuple[str, Any]]:
        """The ledgers the operator may open."""
        own = [(PLATFORM, _("Platform"))] if sees_everything(self.request) else []
        return own + [(tenant.slug, tenant.name) for tenant in tenants_of(self.request)]

    def book(self) -> TenantRef | None:
        """The ledger asked for; None is the platform's. One that is not granted does not exist."""
        slug = self.request.POST.get("book") or self.request.GET.get("book") or self.default_book()
        if slug == PLATFORM:
            if not sees_everything(self.request):
                raise PermissionDenied(_("The platform's ledger shows every tenant. Ask a superuser for it."))
            return None
        tenant = tenants_of(self.request).filter(slug=slug).first()
        if tenant is None:
            raise Http404(_("There is no such ledger."))
        return tenant.ref

    def default_book(self) -> str:
        """The platform's, or the first granted tenant's."""
        if sees_everything(self.request):
            return PLATFORM
        first: Tenant | None = tenants_of(self.request).first()
        if first is None:
            raise PermissionDenied(_("No tenant has been granted to you yet. Ask a superuser."))
        return first.slug


class LedgerPage(LedgerBooks):
    """Entries of one ledger, newest first, and the verdict after a verification."""

    template_name = "console/ledger.html"
    title = gettext_lazy("Ledger")
    verdict: Verdict | None = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Recompute the chain, keep the verdict, and show it."""
        book = self.book()
        found = verifying.verify(book, by=actor_of(request))
        if isinstance(found, UUID):
            return HttpResponseRedirect(reverse("console:events_job_change", args=[found]))
        self.verdict = found
        return self.get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The page of entries for the filters."""
        book = self.book()
        slug = book.slug if book else PLATFORM
        data = self.request.GET.copy()
        data["book"] = slug
        form = LedgerFilter(data, books=self.books())
        cursor = self.request.GET.get("cursor") or None
        page = self.page(book, form.filters(), cursor) if form.is_valid() else Page((), None)
        named = target_names(page.entries)
        plain = {key: value for key, value in data.items() if key != "cursor" and value}
        return super().get_context_data(
            form=form,
            book=slug,
            book_label=book.slug if book else _("Platform"),
            entries=[
                {
                    "entry": entry,
                    "url": target_url(entry),
                    "name": named.get(entry.target or "", ""),
                    "open": entry_is_open(entry),
                }
                for entry in page.entries
            ],
            next=f"?{urlencode({**plain, 'cursor': page.next})}" if page.next else "",
            first=f"?{urlencode(plain)}" if cursor else "",
            filtered=bool(set(plain) - {"book"}),
            evidence="" if book else evidence_url(form.filters() if form.is_valid() else queries.Filters()),
            verdict=self.verdict,
            **kwargs,
        )

    def page(self, book: TenantRef | None, filters: queries.Filters, cursor: str | None) -> Page:
        """Read in the scope of the ledger: the tenant's own, or the page's, which is the platform's."""
        if book is None:
            return queries.browse(filters, cursor)
        with tenant_scope(book):
            return queries.browse(filters, cursor)


def evidence_url(filters: queries.Filters) -> str:
    """Return where the evidence of the platform's own ledger is, about what the page is filtered by.

    Tenants take that of theirs: it holds their values, which operators do not see.
    """
    asked = {"kind": "ledger"}
    if ":" in filters.target:
        asked = {"kind": "record", "target": filters.target}
    elif filters.since or filters.until:
        days = {"since": filters.since, "until": filters.until}
        asked = {"kind": "period"} | {name: day.isoformat() for name, day in days.items() if day}
    return f"/api/v1/ledger/evidence?{urlencode(asked)}"


def target_names(entries: Sequence[LedgerEntry]) -> dict[str, str]:
    """Return what tenants and people among the targets are called; the ids stay in the ledger."""
    ids: dict[str, set[str]] = {"tenant": set(), "user": set()}
    for entry in entries:
        kind, _colon, key = (entry.target or "").partition(":")
        if kind in ids and _is_id(key):
            ids[kind].add(key)
    tenants = Tenant.objects.filter(pk__in=ids["tenant"]).values_list("pk", "name")
    people = User.objects.filter(pk__in=ids["user"])
    return {f"tenant:{pk}": name for pk, name in tenants} | {f"user:{row.pk}": str(row) for row in people}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def target_url(entry: LedgerEntry) -> str:
    """The console's page of what the entry is about, where there is one."""
    kind, _colon, key = (entry.target or "").partition(":")
    names = {
        "tenant": "tenants_tenant",
        "host": "tenants_host",
        "plan": "tenants_plan",
        "user": "identity_user",
        "membership": "identity_membership",
        "invitation": "identity_invitation",
        "session": "identity_session",
        "api_key": "identity_apikey",
        "job": "events_job",
    }
    return reverse(f"console:{names[kind]}_change", args=[key]) if kind in names and key else ""


def ledger_url(*, target: str = "", book: str = PLATFORM, action: str = "") -> str:
    """The address of the ledger's entries about something."""
    asked = {"book": book, "target": target, "action": action}
    return f"{reverse('console:ledger')}?{urlencode({key: value for key, value in asked.items() if value})}"
