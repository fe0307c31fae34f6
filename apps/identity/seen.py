"""When a credential was last used: written at most once a minute, and never waiting for another writer."""

import time
from collections import OrderedDict
from datetime import timedelta
from threading import Lock
from uuid import UUID

from django.utils import timezone

from apps.identity.grants import Grant
from apps.identity.models import ApiKey, Session
from apps.identity.place import scope_at

EVERY = 60
SIZE = 20_000

_lock = Lock()
_written: OrderedDict[UUID | str, float] = OrderedDict()


def touch(grant: Grant) -> None:
    """Note the use of a credential, unless this process or another one did so within the last minute."""
    if not is_due(grant):
        return
    _note(grant.credential_id)
    model, column = (ApiKey, "last_used_at") if grant.kind == "key" else (Session, "last_seen_at")
    stamp = timezone.now()
    with scope_at(grant.tenant, "last use of a credential"):
        rows = model.objects.select_for_update(skip_locked=True, of=("self",)).filter(id=grant.credential_id)
        old = rows.values_list(column, flat=True).first()
        if old is None and model is Session:
            return
        if old is None or stamp - old >= timedelta(seconds=EVERY):
            model.objects.filter(id=grant.credential_id).update(**{column: stamp})


def is_due(grant: Grant) -> bool:
    """Tell whether this process has not noted the credential's use within the last minute."""
    return _is_due(grant.credential_id)


def first(what: str) -> bool:
    """Tell whether `what` happens for the first time within a minute in this process, and note it."""
    if not _is_due(what):
        return False
    _note(what)
    return True


def _is_due(what: UUID | str) -> bool:
    return time.monotonic() - _written.get(what, -EVERY) >= EVERY


def _note(what: UUID | str) -> None:
    with _lock:
        _written[what] = time.monotonic()
        while len(_written) > SIZE:
            _written.popitem(last=False)


def forget() -> None:
    """Forget what this process has written."""
    with _lock:
        _written.clear()
