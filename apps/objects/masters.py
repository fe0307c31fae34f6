"""Who sees a part sees it because of the whole: the rules of masters, for `controlled_by_parent`."""

from typing import Protocol

from apps.objects.definitions import ObjectDef
from apps.permissions.access import Access
from apps.permissions.predicates import Masters
from apps.permissions.rules import MasterAllows, Never, Rule


class Objects(Protocol):
    """Where masters are found."""

    def find(self, name: str) -> ObjectDef | None: ...


def masters(objects: Objects, access: Access) -> Masters:
    """Return what finds the table and the rule of a master under these rights; an unknown one allows nothing."""

    def found(rule: MasterAllows) -> tuple[str, Rule] | None:
        master = objects.find(rule.object)
        if master is None or isinstance(access.predicate(rule.op, master), Never):
            return None
        return master.table, access.predicate(rule.op, master)

    return found
