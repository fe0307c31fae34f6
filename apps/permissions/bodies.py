"""The body of a permission set: checked at the door, all errors at once, then compiled to a `SetGrant`.

Body: `{objects: {<object>|'*': {allowRead, …}}, fields: {'<object>.<field>': {readable, editable}},
systemPermissions: [name], rowLevelSecurity: [policy]}`. In one set the entry of a named object replaces the
entry of `'*'`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from apps.core.errors import FieldError, Invalid
from apps.permissions import policies
from apps.permissions.policies import Policy
from apps.permissions.rights import ALL, KEYS, Bits, implied

ANY_OBJECT = "*"
OBJECT = re.compile(r"[a-z](?:_?[a-z0-9])*")
FIELD = re.compile(r"([a-z](?:_?[a-z0-9])*)\.([a-z](?:_?[a-z0-9])*)")
SCOPES: Mapping[str, Bits] = {
    "own": Bits.NONE,
    "own_and_reports": Bits.NONE,
    "unit": Bits.NONE,
    "unit_and_below": Bits.NONE,
    "org": Bits.VIEW_ALL,
}
WRITE_SCOPES: Mapping[str, Bits] = {**SCOPES, "org": Bits.MODIFY_ALL}
BODY_KEYS = frozenset({"objects", "fields", "systemPermissions", "rowLevelSecurity"})
FIELD_KEYS = frozenset({"readable", "editable", "unmasked"})
SYSTEM_PERMISSIONS: Mapping[str, str] = MappingProxyType(
    {
        "manage_members": "Invite, suspend and remove members, and change their roles.",
        "manage_permissions": "Create permission sets, roles, teams and rules about records, and assign them.",
        "break_glass": "Take full rights on records for a short time in an emergency, for a reason that is told.",
        "manage_metadata": "Create and change objects and fields.",
        "manage_modules": "Install, upgrade and remove modules.",
        "manage_settings": "Change the tenant's name, branding and defaults.",
        "manage_api_keys": "See and revoke the API keys of other members.",
        "manage_webhooks": "Send events to addresses outside and take messages in.",
        "view_audit": "Read the ledger of the tenant.",
        "manage_privacy": "Erase personal data, place legal holds, and say how long the ledger keeps entries.",
        "manage_encryption": "Change the keys of encrypted fields, or destroy them.",
        "import_data": "Load records from files.",
    }
)


@dataclass(frozen=True)
class FieldGrant:
    """What one set says about one field."""

    readable: bool = True
    editable: bool = False
    unmasked: bool = False


@dataclass(frozen=True)
class Scopes:
    """Whose records one set reaches on an object, besides one's own."""

    read: str = "own"
    write: str = "own"


OWN = Scopes()


@dataclass(frozen=True)
class SetGrant:
    """One permission set, compiled. `full` marks the built-in set that no field limit holds back."""

    name: str
    objects: Mapping[str, Bits] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, FieldGrant]] = field(default_factory=dict)
    system: frozenset[str] = frozenset()
    full: bool = False
    scopes: Mapping[str, Scopes] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()

    def bits(self, name: str) -> Bits:
        """Return this set's rights on an object; an entry of its own replaces the one of `'*'`."""
        found = self.objects.get(name)
        return implied(self.objects.get(ANY_OBJECT, Bits.NONE) if found is None else found)

    def scope(self, name: str) -> Scopes:
        """Return whose records this set reaches on an object."""
        return self.scopes.get(name if name in self.objects else ANY_OBJECT, OWN)


FULL = SetGrant("system", {ANY_OBJECT: ALL}, {}, frozenset(SYSTEM_PERMISSIONS), full=True)


def object_bits(rights: Mapping[str, Any]) -> Bits:
    """Return the bits of one `{allowRead: true, …}` mapping; only a true `True` counts."""
    bits = Bits.NONE
    for key, bit in KEYS.items():
        if rights.get(key) is True:
            bits |= bit
    bits |= SCOPES.get(rights.get("readScope", "own"), Bits.NONE)
    return bits | WRITE_SCOPES.get(rights.get("writeScope", "own"), Bits.NONE)


def compiled(name: str, body: Mapping[str, Any], *, full: bool = False) -> SetGrant:
    """Return the compiled form of a body that `check` accepted; what it does not know grants nothing."""
    objects = {key: object_bits(rights) for key, rights in (body.get("objects") or {}).items()}
    fields: dict[str, dict[str, FieldGrant]] = {}
    for key, rights in (body.get("fields") or {}).items():
        parsed = FIELD.fullmatch(key)
        if parsed:
            grant = FieldGrant(
                rights.get("readable", True) is True,
                rights.get("editable", False) is True,
                rights.get("unmasked", False) is True,
            )
            fields.setdefault(parsed[1], {})[parsed[2]] = grant
    system = frozenset(body.get("systemPermissions") or ()) & SYSTEM_PERMISSIONS.keys()
    scopes = {
        key: Scopes(rights.get("readScope", "own"), rights.get("writeScope", "own"))
        for key, rights in (body.get("objects") or {}).items()
        if "readScope" in rights or "writeScope" in rights
    }
    held = tuple(
        policies.policy(entry) for entry in body.get("rowLevelSecurity") or () if entry.get("enabled", True)
    )
    return SetGrant(name, objects, fields, frozenset(system), full, scopes, held)


def check(body: Any) -> dict[str, Any]:
    """Return the body in its kept form; raise `Invalid` naming every key that is wrong."""
    errors = problems(body)
    if errors:
        raise Invalid("The permission set is not valid.", errors)
    kept = {
        "objects": {name: dict(rights) for name, rights in (body.get("objects") or {}).items()},
        "fields": {name: dict(rights) for name, rights in (body.get("fields") or {}).items()},
        "systemPermissions": list(body.get("systemPermissions") or []),
    }
    if body.get("rowLevelSecurity"):
        kept["rowLevelSecurity"] = [dict(entry) for entry in body["rowLevelSecurity"]]
    return kept


def problems(body: Any) -> list[FieldError]:
    """Return all that is wrong with a body; empty when it is right."""
    if not isinstance(body, Mapping):
        return [FieldError("body", "invalid_shape", "A permission set's body is a mapping.")]
    errors = [_unknown(key, BODY_KEYS) for key in body if key not in BODY_KEYS]
    objects, fields = body.get("objects") or {}, body.get("fields") or {}
    if not isinstance(objects, Mapping) or not isinstance(fields, Mapping):
        return [*errors, FieldError("objects", "invalid_shape", "`objects` and `fields` are mappings.")]
    for name, rights in objects.items():
        errors += _object_problems(f"objects.{name}", str(name), rights)
    for name, rights in fields.items():
        errors += _field_problems(f"fields.{name}", str(name), rights)
    errors += _system_problems(body.get("systemPermissions") or [])
    return errors + policies.problems(body.get("rowLevelSecurity") or [])


def _object_problems(path: str, name: str, rights: Any) -> list[FieldError]:
    if name != ANY_OBJECT and not OBJECT.fullmatch(name):
        return [FieldError(path, "invalid_value", f"{name!r} is no object name.")]
    if not isinstance(rights, Mapping):
        return [
            FieldError(path, "invalid_shape", "Write the rights as a mapping, such as {allowRead: true}.")
        ]
    errors = []
    for key, value in rights.items():
        scopes = {"readScope": SCOPES, "writeScope": WRITE_SCOPES}.get(key)
        if scopes is not None:
            if value not in scopes:
                errors.append(_option(f"{path}.{key}", value, scopes))
        elif key not in KEYS:
            errors.append(_unknown(f"{path}.{key}", {*KEYS, "readScope", "writeScope"}))
        elif not isinstance(value, bool):
            errors.append(FieldError(f"{path}.{key}", "invalid_boolean", f"{key} is true or false."))
    return errors


def _field_problems(path: str, name: str, rights: Any) -> list[FieldError]:
    if not FIELD.fullmatch(name):
        return [FieldError(path, "invalid_value", "Name a field as object.field.")]
    if not isinstance(rights, Mapping):
        return [FieldError(path, "invalid_shape", "Write the rights as {readable: true, editable: false}.")]
    errors = [_unknown(f"{path}.{key}", FIELD_KEYS) for key in rights if key not in FIELD_KEYS]
    errors += [
        FieldError(f"{path}.{key}", "invalid_boolean", f"{key} is true or false.")
        for key, value in rights.items()
        if key in FIELD_KEYS and not isinstance(value, bool)
    ]
    if rights.get("editable") is True and rights.get("readable") is False:
        errors.append(FieldError(path, "rule_violation", "A field that can be edited can also be read."))
    if rights.get("unmasked") is True and rights.get("readable") is False:
        errors.append(FieldError(path, "rule_violation", "A field that is unmasked can also be read."))
    return errors


def _system_problems(names: Any) -> list[FieldError]:
    if not isinstance(names, list | tuple):
        return [FieldError("systemPermissions", "invalid_shape", "`systemPermissions` is a list of names.")]
    return [
        _option("systemPermissions", name, SYSTEM_PERMISSIONS)
        for name in names
        if name not in SYSTEM_PERMISSIONS
    ]


def _unknown(path: str, known: Any) -> FieldError:
    return FieldError(path, "unknown_field", f"Unknown key; known are {', '.join(sorted(known))}.")


def _option(path: str, value: Any, known: Any) -> FieldError:
    message = f"{value!r} is not one of {', '.join(sorted(known))}."
    return FieldError(path, "invalid_option", message, options=sorted(known))
