"""Deeds: what an operator can do to one row. Each names its consequences and calls one service of the owning app."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.core.actor import Actor


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened, where to look next, and a secret to show once."""

    message: Any
    url: str | None = None
    secret: str | None = None


def offer(form: forms.Form, name: str, choices: Iterable[tuple[Any, Any]]) -> None:
    """Give a choice field of a form what can be chosen now."""
    cast("forms.ChoiceField", form.fields[name]).choices = list(choices)


def rows_for(form: forms.Form, name: str, rows: QuerySet[Any]) -> None:
    """Give a field of a form the rows that can be chosen now."""
    cast("forms.ModelChoiceField[Any]", form.fields[name]).queryset = rows


class DeedForm(forms.Form):
    """Input of a deed; knows the row it is about."""

    def __init__(self, *args: Any, row: Any = None, **kwargs: Any) -> None:
        self.row = row
        super().__init__(*args, **kwargs)


class ReasonForm(DeedForm):
    """Asks why; the reason is shown to the people concerned and kept in the ledger."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        help_text=_("Members of the tenant read this. It is kept in the ledger."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class TypedNameForm(DeedForm):
    """Asks for the name to be typed before something that cannot be undone."""

    typed = forms.CharField(
        label=_("Type the name to confirm"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def expected(self) -> str:
        """The text that has to be typed."""
        return str(self.row)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed"].help_text = _("Type “%(name)s”.") % {"name": self.expected()}

    def clean_typed(self) -> str:
        """Refuse anything but the exact name."""
        typed = self.cleaned_data["typed"].strip()
        if typed != self.expected():
            raise forms.ValidationError(_("This is not the name. Nothing has been changed."))
        return typed


class Deed:
    """One verb on one row: label, consequences, form and the call of a service."""

    name: ClassVar[str]
    label: ClassVar[Any]
    icon: ClassVar[str] = "bolt"
    danger: ClassVar[bool] = False
    primary: ClassVar[bool] = False
    superuser_only: ClassVar[bool] = False
    form_class: ClassVar[type[DeedForm]] = DeedForm

    def offered(self, row: Any) -> bool:
        """Whether the button belongs on the page of this row."""
        return True

    def refusal(self, row: Any) -> Any:
        """Why the deed is not possible now; empty when it is."""
        return ""

    def question(self, row: Any) -> Any:
        """The heading of the confirmation: what is about to happen to what."""
        return f"{self.label}: {row}"

    def consequences(self, row: Any) -> Sequence[Any]:
        """What will happen, in sentences, with counts."""
        return ()

    def perform(self, *, row: Any, form: DeedForm, by: Actor) -> Outcome:
        """Call the service; a Problem it raises is shown beside the form."""
        raise NotImplementedError
