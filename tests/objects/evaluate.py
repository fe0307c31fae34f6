"""What filters mean, said in Python: slow, and written without looking at the compiler."""

import datetime as dt
import re
from decimal import Decimal
from uuid import UUID


def typed(value, like, user):
    if value == "{current_user_id}":
        value = str(user)
    if isinstance(like, UUID):
        return UUID(str(value))
    if isinstance(like, bool):
        return value if isinstance(value, bool) else value == "true"
    if isinstance(like, Decimal):
        return Decimal(str(value))
    if isinstance(like, dt.datetime):
        text = str(value)
        return dt.date.fromisoformat(text) if len(text) == 10 else dt.datetime.fromisoformat(text)
    if isinstance(like, dt.date):
        return dt.date.fromisoformat(value)
    return value


def pattern(text, *, fold):
    out, escaped = "", False
    for char in text:
        if escaped:
            out, escaped = out + re.escape(char), False
        elif char == "\\":
            escaped = True
        else:
            out += {"%": ".*", "_": "."}.get(char) or re.escape(char)
    flags = re.DOTALL | (re.IGNORECASE | re.ASCII if fold else 0)
    return re.compile(out, flags)


def ascii_lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def day(found, wanted):
    """Compare an instant with a day: -1 before it, 0 within, 1 after."""
    return (found.date() > wanted) - (found.date() < wanted)


def compare(found, operator, raw, user):
    wanted = typed(raw, found, user)
    if isinstance(found, dt.datetime) and not isinstance(wanted, dt.datetime):
        start = dt.datetime.combine(wanted, dt.time(), dt.UTC)
        inside = found.date() == wanted
        return {
            "$eq": inside,
            "$gt": found > start,
            "$gte": found >= start,
            "$lt": found < start,
            "$lte": found < start or inside,
        }[operator]
    return {
        "$eq": found == wanted,
        "$gt": found > wanted,
        "$gte": found >= wanted,
        "$lt": found < wanted,
        "$lte": found <= wanted,
    }[operator]


def test(found, operator, raw, user):  # noqa: C901, PLR0911, PLR0912 - a table of operators, read from top to bottom
    if operator == "$null":
        return (found is None) == raw
    if operator == "$exists":
        return (found is not None) == raw
    if operator == "$ne":
        return found is not None if raw is None else not test(found, "$eq", raw, user)
    if operator == "$nin":
        return not test(found, "$in", raw, user)
    if operator == "$notContains":
        return not test(found, "$contains", raw, user)
    if found is None:
        return operator == "$eq" and raw is None
    if raw is None:
        return False
    if operator == "$in":
        return any(test(found, "$eq", item, user) for item in raw)
    if operator == "$between":
        return compare(found, "$gte", raw[0], user) and compare(found, "$lte", raw[1], user)
    if operator == "$contains":
        return raw in found
    if operator == "$startsWith":
        return found.startswith(raw)
    if operator == "$endsWith":
        return found.endswith(raw)
    if operator == "$icontains":
        return ascii_lower(raw) in ascii_lower(found)
    if operator == "$like":
        return pattern(raw, fold=False).fullmatch(found) is not None
    if operator == "$ilike":
        return pattern(ascii_lower(raw), fold=False).fullmatch(ascii_lower(found)) is not None
    return compare(found, operator, raw, user)


def matches(where, row, user):
    """Say whether a filter in object form is true of a row."""
    for key, value in where.items():
        if key == "$and":
            good = all(matches(part, row, user) for part in value)
        elif key == "$or":
            good = any(matches(part, row, user) for part in value)
        elif key == "$not":
            good = not matches(value, row, user)
        elif isinstance(value, dict):
            good = all(test(row[key], operator, raw, user) for operator, raw in value.items())
        else:
            good = test(row[key], "$eq", value, user)
        if not good:
            return False
    return True
