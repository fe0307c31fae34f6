"""Permission sets, roles and teams, shares and rules about records: who may do what, in the tenant's own schema."""

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


class Timed(TenantModel):
    """A grant that may have a beginning and an end; None means that it has none."""

    valid_from = models.DateTimeField(_("from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        abstract = True


class Assignment(Timed):
    """One member holds one set, by name: built-in sets have no row of their own.

    `emergency` marks one that the member took themselves by breaking the glass, for `reason`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user_id = models.UUIDField(_("member"))
    set_name = models.CharField(_("permission set"), max_length=64, db_index=True)
    assigned_by = models.CharField(max_length=64, blank=True, default="")
    reason = models.TextField(_("reason"), blank=True, default="")
    emergency = models.BooleanField(_("emergency"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user_id", "set_name"], name="permissions_assignment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} holds {self.set_name}"


class Group(TenantModel):
    """A role or a team, by a name that is unique among both.

    A role stands below its parent: who holds the parent leads who holds the role. A team is part of its parent.
    Whoever belongs holds `sets`; with `inherits` the holders of a role hold the sets of the roles below it too.
    """

    class Kind(models.TextChoices):
        ROLE = "role", _("Role")
        TEAM = "team", _("Team")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    name = models.SlugField(_("name"), max_length=64, unique=True)
    label = models.CharField(_("label"), max_length=120)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    sets = models.JSONField(_("permission sets"), default=list)
    inherits = models.BooleanField(_("holds what those below hold"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("role or team")
        verbose_name_plural = _("roles and teams")
        ordering: ClassVar = ["kind", "name"]

    def __str__(self) -> str:
        return self.label or self.name


class GroupMember(Timed):
    """One member holds one role, or belongs to one team."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    group = models.ForeignKey(Group, models.CASCADE, related_name="members")
    user_id = models.UUIDField(_("member"), db_index=True)
    added_by = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("membership of a role or team")
        verbose_name_plural = _("memberships of roles and teams")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "user_id"], name="permissions_groupmember_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.group_id}"


class Level(models.IntegerChoices):
    """How far a share goes; each level brings those before it."""

    READ = 1, _("See")
    EDIT = 2, _("Change")
    FULL = 3, _("Change and delete")


class Share(Timed):
    """One record, shared by hand with a principal: `user:<id>`, `role:<name>`, `team:<name>` or `everyone`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    object_name = models.CharField(_("object"), max_length=64)
    record_id = models.UUIDField(_("record"))
    principal = models.CharField(_("shared with"), max_length=80)
    level = models.SmallIntegerField(_("level"), choices=Level.choices, default=Level.READ)
    reason = models.TextField(_("reason"), blank=True, default="")
    granted_by = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("share")
        verbose_name_plural = _("shares")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["record_id", "principal", "object_name"], name="permissions_share_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["object_name", "principal"], name="permissions_share_object"),
        ]

    def __str__(self) -> str:
        return f"{self.object_name}:{self.record_id} with {self.principal}"


class SharingRule(TenantModel):
    """Records of an object that meet `criteria`, or whose owner is among `owners`, are shared with a principal."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(_("name"), max_length=64, unique=True)
    label = models.CharField(_("label"), max_length=120)
    description = models.TextField(_("description"), blank=True, default="")
    object_name = models.CharField(_("object"), max_length=64)
    criteria = models.JSONField(_("criteria"), null=True, blank=True)
    owners = models.CharField(_("owned by"), max_length=80, blank=True, default="")
    principal = models.CharField(_("shared with"), max_length=80)
    level = models.SmallIntegerField(_("level"), choices=Level.choices, default=Level.READ)
    active = models.BooleanField(_("active"), default=True)
    module = models.CharField(_("module"), max_length=100, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("sharing rule")
        verbose_name_plural = _("sharing rules")
        ordering: ClassVar = ["object_name", "name"]

    def __str__(self) -> str:
        return self.label or self.name


class Restriction(Timed):
    """A wall: what no grant can widen, for whoever `principal` covers, administrators included.

    `operations` on `object_name` (`*` for all) reach only records that meet `criteria`; without criteria they
    are denied. With `fields` it takes these fields away instead: their reading, or with `edit` only their editing.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(_("name"), max_length=64, unique=True)
    label = models.CharField(_("label"), max_length=120)
    description = models.TextField(_("description"), blank=True, default="")
    object_name = models.CharField(_("object"), max_length=64)
    operations = models.JSONField(_("operations"), default=list)
    fields = models.JSONField(_("fields"), default=list)
    criteria = models.JSONField(_("criteria"), null=True, blank=True)
    principal = models.CharField(_("for"), max_length=80, default="everyone")
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("restriction")
        verbose_name_plural = _("restrictions")
        ordering: ClassVar = ["object_name", "name"]

    def __str__(self) -> str:
        return self.label or self.name
