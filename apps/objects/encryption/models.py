"""The keys of a tenant's encrypted columns, each sealed with one derived from SECRET_KEY."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.tenant_model import TenantModel


class ColumnKey(TenantModel):
    """One key: `data` keys seal values and are numbered, the one `index` key makes equal values findable."""

    class Purpose(models.TextChoices):
        DATA = "data", _("values")
        INDEX = "index", _("equality")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    version = models.PositiveIntegerField()
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "objects"
        verbose_name = _("column key")
        verbose_name_plural = _("column keys")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["purpose", "version"], name="objects_columnkey_once")
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.version}"
