"""A slow interpreter of rules, written from their definitions alone: the third opinion."""


def bound(value, subject):
    name = type(value).__name__
    if name == "CurrentUser":
        return subject.id
    return subject.facts.get(value.name) if name == "Mine" else value


def truth(rule, record, subject):  # noqa: PLR0911 - one answer a kind of rule
    """Evaluate by tables of three-valued logic, and let only "true" through at every step."""
    name = type(rule).__name__
    if name == "Always":
        return True
    if name == "Never":
        return False
    if name == "SharedWith":
        return record[rule]
    if name == "Holds":
        return sum(value == rule.value for value in subject.facts.get(rule.fact) or ()) > 0
    if name == "Not":
        return truth(rule.part, record, subject) is False
    if name in ("And", "Or"):
        results = [truth(part, record, subject) for part in rule.parts]
        return False not in results if name == "And" else True in results
    return fits(name, rule, record[rule.field], subject)


def fits(name, rule, found, subject):  # noqa: PLR0911 - one answer a kind of test
    """Evaluate a test of one value."""
    if name == "FieldEquals" and rule.value is None:
        return found is None
    if found is None:
        return False
    if name in ("OwnerIs", "FieldEquals", "FieldHas"):
        wanted = bound(rule.user if name == "OwnerIs" else rule.value, subject)
        if wanted is None:
            return False
        return sum(item == wanted for item in found) > 0 if name == "FieldHas" else found == wanted
    if name == "FieldIn":
        return any(found == value for value in bound(rule.values, subject) or ())
    if name == "FieldCompare":
        order = (found > rule.value) - (found < rule.value)
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[rule.operator]
    places = range(len(found) - len(rule.text) + 1)
    hits = [place for place in places if found[place : place + len(rule.text)] == rule.text]
    wanted = {"starts": 0, "ends": len(found) - len(rule.text)}.get(rule.test)
    return bool(hits) if wanted is None else wanted in hits
