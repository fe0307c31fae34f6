"""The catalogue of modules (shared by all), a tenant's own packages and what it has installed (its schema)."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.ordered_json import OrderedJSONField
from apps.core.tenant_model import TenantModel


class Module(models.Model):
    """A package by its id; what it contains is in its versions."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.SlugField(_("id"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    author = models.JSONField(_("author"), default=dict)
    license = models.CharField(_("licence"), max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("module")
        verbose_name_plural = _("modules")
        ordering: ClassVar = ["code"]

    def __str__(self) -> str:
        return self.name


class Version(models.Model):
    """One version of a module with everything an installation needs; never changed once registered."""

    placement: ClassVar[str] = "public"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    module = models.ForeignKey(Module, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(_("version"), max_length=60)
    checksum = models.CharField(_("checksum"), max_length=80)
    manifest = models.JSONField(_("manifest"))
    content = OrderedJSONField(_("content"))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("module version")
        verbose_name_plural = _("module versions")
        ordering: ClassVar = ["module", "-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["module", "version"], name="modules_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.module_id} {self.version}"


class Package(TenantModel):
    """A version of a module that the tenant brought itself; nobody else sees it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(_("id"), max_length=100)
    version = models.CharField(_("version"), max_length=60)
    checksum = models.CharField(_("checksum"), max_length=80)
    manifest = models.JSONField(_("manifest"))
    content = OrderedJSONField(_("content"))
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("package")
        verbose_name_plural = _("packages")
        ordering: ClassVar = ["code", "-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["code", "version"], name="modules_package_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.version}"


class Installation(TenantModel):
    """A module that the tenant uses, at one version."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    module = models.CharField(_("module"), max_length=100, unique=True)
    name = models.CharField(_("name"), max_length=120)
    version = models.CharField(_("version"), max_length=60)
    checksum = models.CharField(max_length=80)
    manifest = models.JSONField(default=dict)
    demo_loaded = models.BooleanField(_("demo records"), default=False)
    installed_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    installed_by = models.CharField(max_length=200, blank=True, default="")
    installer = models.JSONField(default=dict)  # the actor whose rights the module's hooks have

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        ordering: ClassVar = ["module"]

    def __str__(self) -> str:
        return f"{self.module} {self.version}"
