"""Rows that remember their tenant: an instance or queryset of one tenant refuses to work in another."""

from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models

from apps.core.scope import ScopeConflict, scope_of


def _here() -> UUID | None:
    scope = scope_of()
    return scope.tenant.id if scope and scope.tenant else None


class TenantQuerySet(models.QuerySet[Any]):
    """A queryset bound to the scope it was made in; a lazy one never evaluates in another tenant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made_in = _here()

    def _clone(self) -> Self:
        clone = super()._clone()  # type: ignore[misc]
        clone._made_in = self._made_in or _here()
        return clone  # type: ignore[no-any-return]

    def _require_scope(self) -> None:
        here = _here()
        if self._made_in is not None and here != self._made_in:
            msg = f"A query for tenant {self._made_in} is about to run in the scope of {here or 'no tenant'}."
            raise ScopeConflict(msg)

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._require_scope()
        super()._fetch_all()  # type: ignore[misc]

    def iterator(self, *args: Any, **kwargs: Any) -> Any:
        self._require_scope()
        return super().iterator(*args, **kwargs)

    def count(self) -> int:
        self._require_scope()
        return super().count()

    def exists(self) -> bool:
        self._require_scope()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> Any:
        self._require_scope()
        return super().aggregate(*args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        self._require_scope()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._require_scope()
        return super().delete()


class TenantModel(models.Model):
    """Base of every model that lives in the tenants' schemas."""

    placement: ClassVar[str] = "tenant"
    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made_in = _here()

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._require_scope("save")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self._require_scope("delete")
        return super().delete(*args, **kwargs)

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self._require_scope("refresh")
        super().refresh_from_db(*args, **kwargs)

    def _require_scope(self, verb: str) -> None:
        here = _here()
        if self._made_in is not None and here != self._made_in:
            msg = f"{verb} of a row of tenant {self._made_in} in the scope of {here or 'no tenant'}."
            raise ScopeConflict(msg)
