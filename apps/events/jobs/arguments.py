"""The arguments of a job held against what its task takes today."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from apps.core import queue
from apps.core.canonical import plain
from apps.core.errors import FieldError
from apps.core.queue import Task
from apps.core.signature import schema_of

WHOLE = "args"
MOST_FAULTS = 20


def schema(task: Task) -> dict[str, Any]:
    """Return the JSON Schema of a task's arguments: the declared one, else what its handler's signature says."""
    return dict(task.schema) if task.schema is not None else _derived(task)


@lru_cache(maxsize=512)
def _derived(task: Task) -> dict[str, Any]:
    return schema_of(task.run)


def current(task: Task, args: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Return arguments of an older version in the shape that the task takes today."""
    if version < task.version and task.upgrade is not None:
        return task.upgrade(dict(args), version)
    return dict(args)


def faults(name: str, args: Mapping[str, Any], version: int) -> list[FieldError]:
    """Return what keeps the task from running with these arguments; empty when nothing does.

    `field` is a path such as `args.lines.0.count`.
    """
    task = queue.tasks.get(name)
    if task is None:
        return [FieldError(WHOLE, "invalid_value", f"No task is registered as {name!r}.")]
    if version > task.version:
        message = f"They are of version {version}, written by a newer release; this one knows {task.version}."
        return [FieldError(WHOLE, "invalid_value", message)]
    try:
        today = current(task, args, version)
    except Exception as error:  # noqa: BLE001 - whatever an upgrade stumbles over is the arguments' fault
        message = f"They cannot be brought from version {version} to {task.version}: {error}"
        return [FieldError(WHOLE, "invalid_value", message)]
    found = Draft202012Validator(schema(task)).iter_errors(plain(today))
    return [
        FieldError(
            ".".join([WHOLE, *(str(part) for part in error.instance_path)]),
            "json_schema_violation",
            error.message,
        )
        for error, _number in zip(found, range(MOST_FAULTS), strict=False)
    ]
