"""The tenant's layer over one module's object, in force or as a draft."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.ordered_json import OrderedJSONField
from apps.core.tenant_model import TenantModel


class Overlay(TenantModel):
    """What a tenant adds to and changes about a module's object. `base` is the module's own definition below it.

    `told` are the clashes that the module's last upgrade settled. A draft has no base: it is laid over whatever
    the module brings when it is published.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        DRAFT = "draft", _("draft")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=64)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.ACTIVE)
    body = OrderedJSONField(_("overlay"))
    base = OrderedJSONField(_("module's definition"), default=dict)
    told = models.JSONField(_("settled clashes"), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        app_label = "objects"
        verbose_name = _("overlay")
        verbose_name_plural = _("overlays")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "state"], name="objects_overlay_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"
