"""Permission sets and who holds them, in the tenant's own schema."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.tenant_model import TenantModel


class PermissionSet(TenantModel):
    """A named bundle of rights. `module` names the module that brought it, empty for the tenant's own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(_("name"), max_length=64, unique=True)
    label = models.CharField(_("label"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    module = models.CharField(_("module"), max_length=100, blank=True, default="")
    body = models.JSONField(_("rights"), default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("permission set")
        verbose_name_plural = _("permission sets")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.label or self.name


class Assignment(TenantModel):
    """One member holds one set, by name: built-in sets have no row of their own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user_id = models.UUIDField(_("member"))
    set_name = models.CharField(_("permission set"), max_length=64, db_index=True)
    assigned_by = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "set_name"], name="permissions_assignment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} holds {self.set_name}"
