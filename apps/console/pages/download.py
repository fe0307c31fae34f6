"""A tenant's archive as a file; the tenant's own ledger says who took it."""

from typing import Any
from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest
from django.utils.translation import gettext as _
from django.views.generic import View
from unfold.sites import UnfoldAdminSite

from apps.audit import ledger
from apps.console.archives import path_of
from apps.console.operator import actor_of, tenants_of


class DownloadArchive(View):
    """Hands out a finished archive of a granted tenant."""

    site: UnfoldAdminSite | None = None

    def get(self, request: HttpRequest, tenant: UUID, name: str, **_kwargs: Any) -> FileResponse:
        """Write the entry, then the file; a tenant that is not granted does not exist."""
        row = tenants_of(request).filter(pk=tenant).first()
        path = path_of(tenant, name) if row else None
        if row is None or path is None:
            raise Http404(_("There is no such archive."))
        entry = {"archive": name, "bytes": path.stat().st_size}
        for book in (row.ref, None):
            ledger.record(
                "tenant.archive_downloaded",
                by=actor_of(request),
                target=f"tenant:{row.pk}",
                details=entry,
                tenant=book,
            )
        answer = FileResponse(path.open("rb"), as_attachment=True, filename=f"{row.slug}-{name}")
        answer["Cache-Control"] = "no-store"
        return answer
