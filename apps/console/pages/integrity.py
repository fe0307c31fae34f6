"""The integrity report of a ledger as a page: does it hold, since when is it known, and what vouches for it."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit import report, verdicts
from apps.console.operator import actor_of, sees_everything, tenants_of
from apps.console.pages.ledger import PLATFORM, LedgerBooks
from apps.console.panels import Badge, Tone
from apps.core.canonical import plain
from apps.core.scope import TenantRef, tenant_scope
from apps.events.health import verifying

STATES: dict[str, tuple[Any, Tone]] = {
    "holds": (gettext_lazy("holds"), "success"),
    "tampered": (gettext_lazy("does not hold"), "danger"),
    "unverified": (gettext_lazy("not verified yet"), "warning"),
}
ORDER = ("tampered", "unverified", "holds")
MOST = 500


class IntegrityPage(LedgerBooks):
    """One ledger's report; `POST` verifies it now, `?format=json` gives the document."""

    template_name = "console/integrity.html"
    title = gettext_lazy("Integrity")

    def trail(self) -> list[tuple[Any, str]]:
        return [(_("Ledger"), reverse("console:ledger"))]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page, or the signed document for a program."""
        if request.GET.get("format") == "json":
            book = self.book()
            name = f"integrity-{book.slug if book else PLATFORM}.json"
            headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
            return JsonResponse(plain(read(book)), headers=headers)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Recompute the ledger, then show what was found."""
        book = self.book()
        found = verifying.verify(book, by=actor_of(request))
        if isinstance(found, UUID):
            return HttpResponseRedirect(reverse("console:events_job_change", args=[found]))
        asked = urlencode({"book": book.slug if book else PLATFORM, "verified": "1"})
        return HttpResponseRedirect(f"{reverse('console:integrity')}?{asked}")

    def ledgers(self) -> list[dict[str, Any]]:
        """Every ledger the operator may open with its last verdict, the bad and the unverified first."""
        shown = [(None, PLATFORM, _("Platform"))] if sees_everything(self.request) else []
        shown += [(row.pk, row.slug, row.name) for row in tenants_of(self.request).order_by("slug")[:MOST]]
        found = verdicts.newest(key for key, _slug, _name in shown)
        rows = []
        for key, slug, name in shown:
            last = found.get(key)
            state = report.status([last] if last else [])
            rows.append(
                {"slug": slug, "name": name, "last": last, "state": Badge(*STATES[state]), "key": state}
            )
        return sorted(rows, key=lambda row: ORDER.index(row["key"]))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The report's values."""
        book = self.book()
        found = read(book)
        with_label = {
            "book": book.slug if book else PLATFORM,
            "book_label": book.slug if book else _("Platform"),
            "books": self.books(),
            "report": found,
            "verification": found["verifications"][0] if found["verifications"] else None,
            "verifications": _dated(found["verifications"]),
            "state": Badge(*STATES[found["status"]]),
            "ledgers": self.ledgers(),
            "just_verified": bool(self.request.GET.get("verified")),
        }
        return super().get_context_data(**with_label, **kwargs)


def _dated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**row, "at": dt.datetime.fromisoformat(row["at"]), "by": row["by"].partition(":")[2]} for row in rows
    ]


def read(book: TenantRef | None) -> dict[str, Any]:
    """The report in the scope of its ledger; the page's own scope is the platform's."""
    if book is None:
        return report.integrity()
    with tenant_scope(book):
        return report.integrity()
