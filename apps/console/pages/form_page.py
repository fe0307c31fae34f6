"""A page that asks, calls one service and goes on."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.console.deeds import Outcome
from apps.console.operator import actor_of
from apps.console.pages.page import ConsolePage
from apps.core.actor import Actor
from apps.core.errors import Problem


class FormPage(ConsolePage):
    """Shows a form; a refusal of the service becomes errors at its fields."""

    template_name = "console/form.html"
    form_class: ClassVar[type[forms.Form]]
    button: ClassVar[Any] = ""
    lead: ClassVar[Any] = ""
    back: ClassVar[str] = "console:index"
    form: forms.Form | None = None
    # Fields of a service's refusal under the names they have in the form.
    names: ClassVar[dict[str, str]] = {}

    def perform(self, *, form: forms.Form, by: Actor) -> Outcome:
        """Call the service."""
        raise NotImplementedError

    def make(self, *args: Any) -> forms.Form:
        """The form, empty or with what was sent."""
        return self.form_class(*args)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Try it; leave nothing behind when it is refused."""
        form = self.make(request.POST, request.FILES)
        if form.is_valid():
            try:
                with transaction.atomic():
                    outcome = self.perform(form=form, by=actor_of(request))
            except Problem as problem:
                self.refused(form, problem)
            else:
                messages.success(request, outcome.message)
                return HttpResponseRedirect(outcome.url or request.path)
        self.form = form
        return self.get(request, *args, **kwargs)

    def refused(self, form: forms.Form, problem: Problem) -> None:
        """Put the refusal where it belongs: at its fields, or above the form."""
        placed = False
        for error in problem.fields:
            name = self.names.get(error.field, error.field)
            if name in form.fields:
                form.add_error(name, error.message)
                placed = True
        if not placed:
            text = " ".join(
                [problem.message, *(error.message for error in problem.fields), problem.cure or ""]
            )
            form.add_error(None, text.strip())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form and its words."""
        form = self.form or self.make()
        return super().get_context_data(
            form=form, button=self.button, lead=self.lead, back=self.back, media=form.media, **kwargs
        )
