"""The frame of every register: a list of rows, one page per row, and the deeds that can be done to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from apps.console.deeds import Deed, DeedForm, Outcome
from apps.console.operator import actor_of, is_operator, narrow, sees_everything
from apps.console.pages.ledger import PLATFORM, ledger_url
from apps.console.panels import Badge, Link, Panel
from apps.console.registers.versions import keeps_versions, versions_panel
from apps.core.errors import Problem


@dataclass(frozen=True, slots=True)
class Tool:
    """A button above a list."""

    text: Any
    url: str
    icon: str = "add"


class Register(ModelAdmin):
    """Rows of one model, read only; every change is a deed, so that nothing is written past a service."""

    tenant_lookup: ClassVar[str | None] = None
    deeds: ClassVar[Sequence[Deed]] = ()
    about: ClassVar[Any] = ""
    list_before_template = "console/about.html"
    change_list_template = "console/change_list.html"
    list_filter_submit = False
    list_filter_sheet = False
    list_per_page = 50
    list_fullwidth = True
    show_full_result_count = False
    actions = None
    record_template = "console/record.html"
    record_template_plain = "console/record.html"

    # --- who may see what

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Operators; rows are narrowed to their tenants."""
        return is_operator(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Operators; an object is looked up among the rows they may see."""
        return is_operator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """No generic form: a register that can grow offers its own page."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """No generic form: changes are deeds."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """No generic deletion: where rows can go, a deed says what goes with them."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """The rows of the operator's tenants."""
        return self.narrowed(super().get_queryset(request), request)

    def narrowed(self, rows: QuerySet, request: HttpRequest) -> QuerySet:
        """What of the rows the operator may see."""
        return narrow(rows, request, self.tenant_lookup)

    def tools(self, request: HttpRequest) -> Sequence[Tool]:
        """Buttons above the list."""
        return ()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the console's breadcrumbs and buttons."""
        frame = {"title": self.opts.verbose_name_plural, "crumbs": [(_("Console"), reverse("console:index"))]}
        frame |= {"tools": self.tools(request), "subtitle": None}
        return super().changelist_view(request, {**frame, **(extra_context or {})})

    # --- the page of one row

    def heading(self, row: Any) -> str:
        """The name of the row."""
        return str(row)

    def badge(self, row: Any) -> Badge | None:
        """Its state."""
        return None

    def panels(self, request: HttpRequest, row: Any) -> Sequence[Panel]:
        """What the page shows, in order."""
        return ()

    def more(self, request: HttpRequest, row: Any) -> Sequence[Link]:
        """Quiet links beside the heading: the row's versions and its entries in the ledger."""
        name = f"console:{self.opts.app_label}_{self.opts.model_name}_history"
        versions = [Link(_("Versions"), reverse(name, args=[row.pk]))] if keeps_versions(row) else []
        url = self.entries_url(request, row)
        return [*versions, Link(_("Ledger entries"), url)] if url else versions

    def context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Further values for the template."""
        return {}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one row: its state, its deeds, its panels. A POST has no meaning here."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied(_("Rows are changed by their actions only."))
        row = self.row(request, object_id)
        context = {
            **self.frame(request, row),
            "badge": self.badge(row),
            "buttons": self.buttons(request, row),
            "panels": list(self.panels(request, row)),
            "more": self.more(request, row),
            **self.context(request, row),
        }
        return TemplateResponse(request, self.record_template, context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Earlier versions of the row, where its model keeps them; else the ledger's entries about it."""
        row = self.row(request, object_id)
        if not keeps_versions(row):
            return HttpResponseRedirect(self.entries_url(request, row) or self.here(row))
        context = self.frame(request, row)
        context["crumbs"] = [*context["crumbs"], (self.heading(row), context["here"])]
        context |= {"title": _("Versions"), "panels": [versions_panel(row)], "subtitle": self.heading(row)}
        return TemplateResponse(request, self.record_template_plain, context)

    def target(self, row: Any) -> str:
        """The row as ledger entries name it."""
        return f"{self.opts.model_name}:{row.pk}"

    def book(self, row: Any) -> str:
        """The ledger that holds the row's entries: the platform's, or the slug of a tenant."""
        return PLATFORM

    def entries_url(self, request: HttpRequest, row: Any) -> str:
        """The ledger's entries about the row; empty where the operator may not open that ledger."""
        book = self.book(row)
        if book == PLATFORM and not sees_everything(request):
            return ""
        return ledger_url(target=self.target(row), book=book)

    def row(self, request: HttpRequest, object_id: str) -> Any:
        """The row among those the operator may see; what they may not see does not exist."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404(_("There is no such row."))
        return row

    def frame(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """The console's frame with breadcrumbs."""
        changelist = reverse(f"console:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "row": row,
            "title": self.heading(row),
            "crumbs": [
                (_("Console"), reverse("console:index")),
                (self.opts.verbose_name_plural, changelist),
            ],
            "here": self.here(row),
        }

    def here(self, row: Any) -> str:
        """The address of the row's page."""
        return reverse(f"console:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    # --- deeds

    def allowed(self, request: HttpRequest, deed: Deed, row: Any) -> bool:
        """Whether the operator gets the button at all."""
        return (not deed.superuser_only or sees_everything(request)) and deed.offered(row)

    def buttons(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """The deeds of the row as links to their confirmations."""
        return [
            {
                "label": deed.label,
                "icon": deed.icon,
                "danger": deed.danger,
                "primary": deed.primary,
                "refusal": deed.refusal(row),
                "url": f"{self.deed_url(row, deed)}",
            }
            for deed in self.deeds
            if self.allowed(request, deed, row)
        ]

    def deed_url(self, row: Any, deed: Deed) -> str:
        """The address of a deed's confirmation."""
        return reverse(f"console:{self.opts.app_label}_{self.opts.model_name}_deed", args=[row.pk, deed.name])

    def get_urls(self) -> list[URLPattern]:
        """The confirmations before Django's own addresses."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_deed"
        own = path("<path:object_id>/do/<slug:deed>/", self.admin_site.admin_view(self.deed_view), name=name)
        return [own, *super().get_urls()]

    def deed_view(self, request: HttpRequest, object_id: str, deed: str) -> HttpResponse:
        """Say what will happen, ask, do it by the service, and show what came of it."""
        row = self.row(request, object_id)
        found = next(
            (each for each in self.deeds if each.name == deed and self.allowed(request, each, row)), None
        )
        if found is None:
            raise Http404(_("There is no such action."))
        refusal = found.refusal(row)
        sent = (request.POST, request.FILES) if request.method == "POST" else ()
        form = found.form_class(*sent, row=row)
        if sent and not refusal and form.is_valid():
            outcome = self.attempt(request, found, row, form)
            if outcome is not None:
                return self.answer(request, row, outcome)
        context = {**self.frame(request, row), "deed": found, "form": form, "refusal": refusal}
        context |= {
            "title": found.question(row),
            "consequences": [] if refusal else list(found.consequences(row)),
            "multipart": form.is_multipart(),
        }
        context["crumbs"] = [*context["crumbs"], (self.heading(row), context["here"])]
        status = 409 if refusal else 200
        return TemplateResponse(request, "console/confirm.html", context, status=status)

    def attempt(self, request: HttpRequest, deed: Deed, row: Any, form: DeedForm) -> Outcome | None:
        """Do it; a refusal of the service becomes an error of the form and leaves nothing behind."""
        try:
            with transaction.atomic():
                return deed.perform(row=row, form=form, by=actor_of(request))
        except Problem as problem:
            form.add_error(None, problem.message)
            for field in problem.fields:
                if field.field in form.fields:
                    form.add_error(field.field, field.message)
            return None

    def answer(self, request: HttpRequest, row: Any, outcome: Outcome) -> HttpResponse:
        """Go on to the next page; a secret is shown once, on a page that nobody can come back to."""
        here = outcome.url or self.here(row)
        if outcome.secret is None:
            entries = self.entries_url(request, row)
            link = format_html(' <a class="c-entry" href="{}">{}</a>', entries, _("See it in the ledger"))
            messages.success(request, format_html("{}{}", outcome.message, link if entries else ""))
            return HttpResponseRedirect(here)
        context = {**self.frame(request, row), "outcome": outcome, "title": outcome.message, "next": here}
        response = TemplateResponse(request, "console/secret.html", context)
        response["Cache-Control"] = "no-store"
        return response
