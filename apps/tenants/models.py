"""Tenants, their hosts and plans, and the clocks by which caches know that they are stale."""

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from apps.core.ids import uuid7
from apps.core.row_history import row_history
from apps.core.scope import TenantRef
from apps.tenants.states import State

SLUG = RegexValidator(
    r"^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?\Z", _("Small letters, digits and hyphens, 40 at most.")
)
COLOR = RegexValidator(r"^#[0-9a-f]{6}\Z", _("A colour as #rrggbb, in small letters."))


class Plan(models.Model):  # type: ignore[django-manager-missing]  # the manager of an abstract base
    """What a tenant may use. `quotas` maps the keys of `apps.tenants.quotas` to limits."""

    placement: ClassVar[str] = "public"
    code = models.SlugField(_("code"), max_length=40, primary_key=True)
    name = models.CharField(_("name"), max_length=80)
    quotas = models.JSONField(_("quotas"), default=dict, blank=True)
    is_default = models.BooleanField(_("default for new tenants"), default=False)
    history = row_history()

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering: ClassVar[list[str]] = ["code"]

    def __str__(self) -> str:
        return self.name


class Tenant(TenantMixin):
    """A customer with a schema of its own. Rows are changed by `lifecycle`, `provision` and `settings` only."""

    placement: ClassVar[str] = "public"
    auto_create_schema = False
    auto_drop_schema = False

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(_("address"), max_length=40, unique=True, validators=[SLUG])
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.PROVISIONING)
    state_reason = models.CharField(_("reason"), max_length=300, blank=True)
    state_changed_at = models.DateTimeField(_("since"), auto_now_add=True)
    delete_after = models.DateTimeField(_("data removed after"), null=True, blank=True)
    plan = models.ForeignKey(Plan, verbose_name=_("plan"), on_delete=models.PROTECT, related_name="tenants")
    locale = models.CharField(_("language"), max_length=12, default="en")
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    brand_color = models.CharField(_("brand colour"), max_length=7, blank=True, validators=[COLOR])
    logo = models.CharField(_("logo file"), max_length=200, blank=True)
    schema_version = models.CharField(max_length=64, blank=True, editable=False)
    schema_error = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    history = row_history(excluded_fields=["schema_version", "schema_error"])

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering: ClassVar[list[str]] = ["slug"]
        permissions: ClassVar[list[tuple[str, Any]]] = [("operate_tenant", _("Can operate this tenant"))]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> TenantRef:
        """What `tenant_scope` takes."""
        return TenantRef(self.id, self.slug, self.schema_name)


class Host(DomainMixin):
    """An address at which a tenant is served; unique in the installation."""

    placement: ClassVar[str] = "public"
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    history = row_history()

    class Meta:
        verbose_name = _("host")
        verbose_name_plural = _("hosts")
        ordering: ClassVar[list[str]] = ["domain"]

    def __str__(self) -> str:
        return str(self.domain)


class TenantClock(models.Model):
    """How often the cached facts of a tenant (or, with the nil UUID, of the platform) have changed."""

    placement: ClassVar[str] = "public"
    key = models.UUIDField(primary_key=True)
    ticks = models.BigIntegerField(default=0)

    class Meta:
        db_table = "tenant_clock"

    def __str__(self) -> str:
        return f"{self.key}: {self.ticks}"


class TenantDdl(models.Model):
    """The statements that build a tenant's schema, by the fingerprint of the migrations they amount to."""

    placement: ClassVar[str] = "public"
    version = models.CharField(max_length=64, primary_key=True)
    statements = models.JSONField()
    made_at = models.DateTimeField()

    class Meta:
        db_table = "tenant_ddl"

    def __str__(self) -> str:
        return self.version
