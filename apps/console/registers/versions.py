"""Earlier versions of the platform's own rows, kept by django-simple-history."""

from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _

from apps.console.panels import Badge, Panel, Table, Tone

KINDS: dict[str, tuple[str, Tone]] = {
    "+": ("created", "success"),
    "~": ("changed", "info"),
    "-": ("removed", "danger"),
}
MOST = 50


def keeps_versions(row: Model) -> bool:
    """Whether the row's model keeps its history."""
    return hasattr(type(row), "history")


def versions_panel(row: Any) -> Panel:
    """What changed in the row, newest first; who as the row's history names them."""
    records = list(row.history.order_by("-history_date", "-history_id")[: MOST + 1])
    cells = []
    for index, record in enumerate(records[:MOST]):
        before = records[index + 1] if index + 1 < len(records) else None
        word, tone = KINDS[record.history_type]
        cells.append(
            (record.history_date, record.history_user_id, Badge(_(word), tone), _changed(record, before))
        )
    headers = [_("when"), _("who"), _("what"), _("changed")]
    return Panel(_("Versions"), table=Table(headers, cells, _("No version is kept yet.")), wide=True)


def _changed(record: Any, before: Any) -> str:
    if before is None:
        return ""
    changes = record.diff_against(before, foreign_keys_are_objs=False).changes
    return "; ".join(f"{change.field}: {change.old} → {change.new}" for change in changes)
