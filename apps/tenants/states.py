"""The life of a tenant as a table: which state may follow which."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    """`provisioning` until its schema stands; `deleted` keeps data until the grace period is over."""

    PROVISIONING = "provisioning", _("provisioning")
    FAILED = "failed", _("provisioning failed")
    ACTIVE = "active", _("active")
    SUSPENDED = "suspended", _("suspended")
    ARCHIVED = "archived", _("archived")
    DELETED = "deleted", _("deleted")


MOVES: dict[str, frozenset[str]] = {
    State.PROVISIONING: frozenset({State.ACTIVE, State.FAILED}),
    State.FAILED: frozenset({State.PROVISIONING, State.DELETED}),
    State.ACTIVE: frozenset({State.SUSPENDED, State.ARCHIVED}),
    State.SUSPENDED: frozenset({State.ACTIVE, State.ARCHIVED}),
    State.ARCHIVED: frozenset({State.ACTIVE, State.DELETED}),
    State.DELETED: frozenset({State.ARCHIVED}),
}
VERBS: dict[str, str] = {
    State.ACTIVE: "activated",
    State.SUSPENDED: "suspended",
    State.ARCHIVED: "archived",
    State.DELETED: "deleted",
    State.FAILED: "failed",
    State.PROVISIONING: "provisioning_started",
}
