"""A slow interpreter of rules, written from their definitions alone: the third opinion."""

from apps.permissions import rules


def truth(rule, record, user):  # noqa: PLR0911 - one answer a kind of rule
    """Evaluate by tables of three-valued logic, and let only "true" through at every step."""
    name = type(rule).__name__
    if name == "Always":
        return True
    if name == "Never":
        return False
    if name == "OwnerIs":
        owner = user if rule.user == rules.CURRENT_USER else rule.user
        return None not in (owner, record[rule.field]) and str(owner) == str(record[rule.field])
    if name == "FieldEquals":
        if rule.value is None:
            return record[rule.field] is None
        wanted = user if rule.value == rules.CURRENT_USER else rule.value
        return record[rule.field] is not None and wanted is not None and record[rule.field] == wanted
    if name == "FieldIn":
        return (
            any(record[rule.field] == value for value in rule.values)
            if record[rule.field] is not None
            else False
        )
    if name == "FieldCompare":
        left, right = record[rule.field], rule.value
        if left is None:
            return False
        order = (left > right) - (left < right)
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[rule.operator]
    if name == "Not":
        return truth(rule.part, record, user) is False
    results = [truth(part, record, user) for part in rule.parts]
    return False not in results if name == "And" else True in results
