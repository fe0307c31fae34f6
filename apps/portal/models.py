"""What the pages remember for a member: views of lists, preferences, records seen last."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.tenant_model import TenantModel


class SavedView(TenantModel):
    """A named way to look at a list. `query` holds the list's address parameters, name to list of texts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    object_name = models.CharField(_("object"), max_length=48)
    name = models.CharField(_("name"), max_length=80)
    user_id = models.UUIDField(_("member"))
    shared = models.BooleanField(_("shared with everybody"), default=False)
    query = models.JSONField(_("query"), default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["object_name", "user_id", "name"], name="portal_savedview_once"),
        ]

    def __str__(self) -> str:
        return self.name


class DefaultView(TenantModel):
    """The view with which a member's list opens."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user_id = models.UUIDField(_("member"))
    object_name = models.CharField(_("object"), max_length=48)
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="defaults")

    class Meta:
        verbose_name = _("default view")
        verbose_name_plural = _("default views")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "object_name"], name="portal_defaultview_once"),
        ]

    def __str__(self) -> str:
        return f"{self.object_name} opens with {self.view_id}"


class Preference(TenantModel):
    """How a member likes the pages."""

    class Theme(models.TextChoices):
        AUTO = "auto", _("As the device")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    class Density(models.TextChoices):
        NORMAL = "normal", _("Comfortable")
        COMPACT = "compact", _("Compact")

    user_id = models.UUIDField(_("member"), primary_key=True)
    theme = models.CharField(_("theme"), max_length=8, choices=Theme.choices, default=Theme.AUTO)
    density = models.CharField(_("density"), max_length=8, choices=Density.choices, default=Density.NORMAL)
    page_size = models.PositiveSmallIntegerField(_("rows per page"), default=25)

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"


class Visit(TenantModel):
    """A record that a member opened; the title is read again under their rights when it is shown."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user_id = models.UUIDField(_("member"))
    object_name = models.CharField(_("object"), max_length=48)
    record_id = models.UUIDField(_("record"))
    seen_at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "object_name", "record_id"], name="portal_visit_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["user_id", "-seen_at"], name="portal_visit_recent")]

    def __str__(self) -> str:
        return f"{self.object_name}:{self.record_id}"


class Report(TenantModel):
    """A kept question about an object's records. `body` holds its address parameters, name to list of texts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    object_name = models.CharField(_("object"), max_length=48)
    name = models.CharField(_("name"), max_length=80)
    user_id = models.UUIDField(_("member"))
    shared = models.BooleanField(_("shared with everybody"), default=False)
    body = models.JSONField(_("question"), default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "name"], name="portal_report_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Dashboard(TenantModel):
    """Reports and lists side by side. `widgets` are {id, report | object + query, title, size} in their order."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=80)
    user_id = models.UUIDField(_("member"))
    shared = models.BooleanField(_("shared with everybody"), default=False)
    widgets = models.JSONField(_("parts"), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboards")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "name"], name="portal_dashboard_once"),
        ]

    def __str__(self) -> str:
        return self.name
