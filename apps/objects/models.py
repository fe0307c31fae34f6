"""Definitions as the tenant keeps them, every version of them, and the history of records."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.ordered_json import OrderedJSONField
from apps.core.tenant_model import TenantModel
from apps.objects.encryption.models import ColumnKey
from apps.objects.overlay.models import Overlay
from apps.objects.transfer.models import ImportRow, ImportRun

__all__ = ["ColumnKey", "Definition", "DefinitionVersion", "ImportRow", "ImportRun", "Overlay"]


class Definition(TenantModel):
    """An object of the tenant: the plain JSON of its YAML. A draft may stand beside the active one."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        DRAFT = "draft", _("draft")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=64)
    module = models.CharField(_("module"), max_length=100, blank=True, default="")
    body = OrderedJSONField(_("definition"))
    version = models.PositiveIntegerField(_("version"), default=1)
    checksum = models.CharField(_("checksum"), max_length=80)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("definition")
        verbose_name_plural = _("definitions")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "state"], name="objects_definition_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version} ({self.state})"


class DefinitionVersion(TenantModel):
    """What a definition was from one publication to the next, and the plan that led there; never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    operation = models.CharField(max_length=10, default="publish")
    module = models.CharField(max_length=100, blank=True, default="")
    body = OrderedJSONField()
    checksum = models.CharField(max_length=80)
    plan = models.JSONField(default=dict)
    actor = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("definition version")
        verbose_name_plural = _("definition versions")
        ordering: ClassVar = ["name", "-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "version"], name="objects_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
