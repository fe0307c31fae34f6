"""Ledger entries in words: who did what to what, with a link where there is something to open."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.types import LedgerEntry
from apps.objects.catalog import Catalog
from apps.portal import show

VERBS: Mapping[str, tuple[str, object]] = {
    "created": ("plus", gettext_lazy("created")),
    "updated": ("pencil", gettext_lazy("changed")),
    "deleted": ("trash", gettext_lazy("deleted")),
    "restored": ("arrow-back-up", gettext_lazy("restored")),
    "purged": ("trash-x", gettext_lazy("removed for good")),
    "imported": ("file-import", gettext_lazy("imported")),
    "exported": ("file-export", gettext_lazy("exported")),
    "started": ("login", gettext_lazy("started")),
    "ended": ("logout", gettext_lazy("ended")),
    "invited": ("mail", gettext_lazy("invited")),
    "joined": ("user-plus", gettext_lazy("joined")),
    "saved": ("bookmark", gettext_lazy("saved")),
    "published": ("upload", gettext_lazy("published")),
    "installed": ("package", gettext_lazy("installed")),
    "denied": ("lock", gettext_lazy("was refused")),
    "revoked": ("ban", gettext_lazy("revoked")),
    "accepted": ("user-check", gettext_lazy("accepted")),
    "verified": ("shield-check", gettext_lazy("verified")),
    "paused": ("player-pause", gettext_lazy("paused")),
    "resumed": ("player-play", gettext_lazy("switched on")),
    "disabled": ("plug-off", gettext_lazy("switched off")),
    "tested": ("send", gettext_lazy("tested")),
    "received": ("inbox", gettext_lazy("took a message of")),
    "refused": ("ban", gettext_lazy("refused a message of")),
    "redelivered": ("refresh", gettext_lazy("sent an event again to")),
    "missed_resent": ("refresh", gettext_lazy("sent missed events again to")),
    "secret_rotated": ("key", gettext_lazy("replaced the secret of")),
    "transferred": ("user-share", gettext_lazy("handed over")),
}
NOUNS: Mapping[str, object] = {
    "session": gettext_lazy("session"),
    "member": gettext_lazy("member"),
    "invitation": gettext_lazy("invitation"),
    "api_key": gettext_lazy("API key"),
    "view": gettext_lazy("view"),
    "object": gettext_lazy("object"),
    "module": gettext_lazy("module"),
    "tenant": gettext_lazy("tenant"),
    "user": gettext_lazy("person"),
    "permission_set": gettext_lazy("permission set"),
    "record": gettext_lazy("records"),
    "job": gettext_lazy("job"),
    "webhook": gettext_lazy("webhook"),
    "webhook_source": gettext_lazy("incoming webhook"),
    "password": gettext_lazy("password"),
    "report": gettext_lazy("report"),
    "dashboard": gettext_lazy("dashboard"),
}
TITLES = ("name", "title", "label", "subject", "email")


@dataclass(frozen=True)
class Sentence:
    """One entry for a timeline or table."""

    id: str
    icon: str
    who: str
    verb: str
    noun: str
    title: str
    href: str
    at: datetime
    action: str
    entry: LedgerEntry


def entry(found: LedgerEntry, catalog: Catalog, names: Mapping[str, str] | None = None) -> Sentence:
    """Return the entry in words; `names` are titles by target; an action without words is shown as it is named."""
    subject, _dot, verb = found.action.rpartition(".")
    icon, word = VERBS.get(verb, ("activity", verb.replace("_", " ")))
    kind, _colon, key = (found.target or "").partition(":")
    definition = catalog.find(kind) or catalog.find(subject)
    noun = (
        definition.label_for(show.locale())
        if definition
        else str(NOUNS.get(subject, subject.replace("_", " ")))
    )
    href = reverse("portal:record", args=[kind, key]) if definition and key and verb != "purged" else ""
    return Sentence(
        id=str(found.id),
        icon=icon,
        who=found.actor.label or _("Somebody"),
        verb=str(word),
        noun=noun,
        title=_title(found, definition.name_field if definition else "")
        or (names or {}).get(found.target or "", ""),
        href=href,
        at=found.at,
        action=found.action,
        entry=found,
    )


def _title(found: LedgerEntry, name_field: str) -> str:
    values = {**(found.before or {}), **(found.after or {}), **found.details}
    for name in (name_field, *TITLES):
        if isinstance(values.get(name), str):
            return str(values[name])
    return ""
