"""Imports and what became of each of their rows."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7
from apps.core.tenant_model import TenantModel


class ImportState(models.TextChoices):
    """`choosing` until columns are mapped; `checked` after a dry run; `undone` when its records were taken back."""

    CHOOSING = "choosing", _("columns to choose")
    CHECKING = "checking", _("checking")
    CHECKED = "checked", _("checked")
    RUNNING = "running", _("importing")
    DONE = "done", _("imported")
    CANCELLED = "cancelled", _("cancelled")
    UNDOING = "undoing", _("taking back")
    UNDONE = "undone", _("taken back")


MOVES: dict[str, frozenset[str]] = {
    ImportState.CHOOSING: frozenset({ImportState.CHECKING, ImportState.RUNNING}),
    ImportState.CHECKING: frozenset({ImportState.CHECKED, ImportState.CHOOSING}),
    ImportState.CHECKED: frozenset({ImportState.CHOOSING, ImportState.CHECKING, ImportState.RUNNING}),
    ImportState.RUNNING: frozenset({ImportState.DONE, ImportState.CANCELLED}),
    ImportState.DONE: frozenset({ImportState.UNDOING}),
    ImportState.CANCELLED: frozenset({ImportState.UNDOING, ImportState.RUNNING}),
    ImportState.UNDOING: frozenset({ImportState.UNDONE}),
    ImportState.UNDONE: frozenset(),
}


class Mode(models.TextChoices):
    """What happens to a row whose record exists: never looked up, the only ones taken, or either."""

    INSERT = "insert", _("Create new records")
    UPDATE = "update", _("Change existing records")
    UPSERT = "upsert", _("Change existing records, create the others")


class ImportRun(TenantModel):
    """One uploaded file on its way into one object. `mapping` holds `Link`s, `counts` the outcome by action."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    object_name = models.CharField(max_length=64)
    file_name = models.CharField(max_length=200)
    content = models.BinaryField()
    header = models.JSONField()
    row_count = models.IntegerField()
    mapping = models.JSONField(default=list)
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.INSERT)
    match_field = models.CharField(max_length=300, blank=True)  # several names are joined by commas
    state = models.CharField(max_length=12, choices=ImportState.choices, default=ImportState.CHOOSING)
    counts = models.JSONField(default=dict)
    job_id = models.UUIDField(null=True)
    created_by = models.UUIDField(null=True)
    created_by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "objects"
        indexes: ClassVar = [models.Index(fields=["object_name", "-id"], name="objects_import_of_object")]

    @property
    def match_fields(self) -> tuple[str, ...]:
        """The fields that together name an existing record."""
        return tuple(name for name in self.match_field.split(",") if name)


class ImportRow(TenantModel):
    """What became of one row, by its line in the file; `before` is what an update replaced, for undo."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="rows")
    number = models.IntegerField()
    dry = models.BooleanField(default=False)
    action = models.CharField(max_length=8)
    record_id = models.UUIDField(null=True)
    version = models.IntegerField(null=True)
    before = models.JSONField(null=True)
    errors = models.JSONField(default=list)

    class Meta:
        app_label = "objects"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "dry", "number"], name="objects_import_row_once")
        ]
