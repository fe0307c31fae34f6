"""Import of an archive as a job: the upload waits in a folder until the job has opened the tenant or refused."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.audit import ledger
from apps.core import queue
from apps.core.actor import Actor
from apps.core.errors import FieldError, Invalid, PermissionDenied
from apps.core.ids import uuid7
from apps.tenants.archiving import restore
from apps.tenants.models import SLUG, Host, Tenant
from apps.tenants.provision import RESERVED

WAITING = "incoming"
NAME = re.compile(r"[0-9a-f-]{36}\.zip\Z")
FINGERPRINT = re.compile(r"[0-9a-f:]{16,128}\Z")


@transaction.atomic
def start(*, upload: Iterable[bytes], slug: str, host: str, name: str, trusted: str, by: Actor) -> Any:
    """Keep the upload and queue its import; return the job's id. Platform scope.

    `trusted` is the fingerprint of the key that must have signed it; empty means this installation's own.
    """
    if by.kind not in {"operator", "system"}:
        msg = "Only operators import tenants."
        raise PermissionDenied(msg)
    host = host.strip().lower()
    errors = _errors(slug, host, trusted)
    if errors:
        msg = "The archive cannot be imported like this."
        raise Invalid(msg, errors)
    folder = Path(settings.EXPORT_ROOT) / WAITING
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid7()}.zip"
    with path.open("xb") as out:
        for chunk in upload:
            out.write(chunk)
    args = {"file": path.name, "slug": slug, "host": host, "name": name.strip(), "trusted": trusted}
    details = {"slug": slug, "host": host, "bytes": path.stat().st_size}
    ledger.record("tenant.import_requested", by=by, details=details)
    return queue.enqueue("tenants.import", tenant=None, args=args, title=f"Import {name or slug}", by=by)


def _errors(slug: str, host: str, trusted: str) -> list[FieldError]:
    errors = []
    if not re.match(SLUG.regex, slug) or slug in RESERVED or Tenant.objects.filter(slug=slug).exists():
        errors.append(FieldError("slug", "invalid_value", f"{slug} is taken, reserved or no address."))
    if not host or Host.objects.filter(domain=host).exists():
        errors.append(FieldError("host", "invalid_value", f"{host} is served already."))
    if trusted and not FINGERPRINT.match(trusted):
        errors.append(
            FieldError("trusted", "invalid_format", "A fingerprint, as the refusal of an import names it.")
        )
    return errors


@queue.task("tenants.import", tenant="forbidden", max_attempts=1, manages_scope=True)
def run(job: queue.JobHandle, file: str, slug: str, host: str, name: str, trusted: str) -> dict[str, Any]:
    """Open the tenant of a waiting archive; the upload goes in any case."""
    if not NAME.match(file):
        msg = "This is no waiting upload."
        raise ValueError(msg)
    path = Path(settings.EXPORT_ROOT) / WAITING / file
    job.progress(0, 2, "Check and fill")
    try:
        tenant = restore(
            path=path, slug=slug, host=host, by=job.by, trusted=trusted or None, name=name or None
        )
    finally:
        path.unlink(missing_ok=True)
    job.progress(2, 2, "Done")
    return {"tenant": str(tenant.pk), "slug": tenant.slug}
