"""Registries: what a lower app owns and a higher one fills in `AppConfig.ready()`."""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Names mapped to values of one type, checked at the door; a name is taken once."""

    def __init__(self, name: str, kind: type) -> None:
        self.name = name
        self.kind = kind
        self._values: dict[str, T] = {}

    def register(self, key: str, value: T) -> T:
        """Add `value` under `key`; refuse another type or a second value for the same key."""
        is_class_of = isinstance(value, type) and issubclass(value, self.kind)
        if not (isinstance(value, self.kind) or is_class_of):
            msg = f"{self.name}: {key!r} must be a {self.kind.__name__}, not {type(value).__name__}."
            raise TypeError(msg)
        if key in self._values and self._values[key] is not value:
            msg = f"{self.name}: {key!r} is registered already."
            raise ValueError(msg)
        self._values[key] = value
        return value

    def get(self, key: str) -> T | None:
        """Return the value of `key`, or None when nobody registered it."""
        return self._values.get(key)

    def __getitem__(self, key: str) -> T:
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def items(self) -> list[tuple[str, T]]:
        """Return all pairs in the order of registration."""
        return list(self._values.items())
