"""The names of the schema. Each depends on the object's own name alone, so that no right of anybody moves it.

`crm_lead` is the type `CrmLead`. Capitals mark where words begin, and a word that begins with a digit keeps its
underscore, so two objects never meet. A name that would read like one of the schema's own (`lead_where` →
`LeadWhere`) gets an underscore at its end.
"""

SUFFIXES = ("Where", "Order", "OrderField", "Connection", "Edge", "Slice", "Create", "Update", "Test")
OWN = frozenset(
    {
        "Query",
        "Mutation",
        "Subscription",
        "PageInfo",
        "User",
        "Direction",
        "String",
        "Int",
        "Float",
        "Boolean",
    }
    | {"Id", "Number", "Date", "DateTime", "Time", "Json"}
)
VERBS = ("_list", "_groups", "_create", "_update", "_delete", "_restore")


def type_name(name: str) -> str:
    """Return the type of an object's (or a kind's) records."""
    made = "".join(f"_{word}" if word[0].isdigit() else word.capitalize() for word in name.split("_"))
    return f"{made}_" if made in OWN or made.endswith(SUFFIXES) else made


def root_name(name: str) -> str:
    """Return the root field of one record; the others end with a verb: `crm_lead_list`."""
    return f"{name}_" if name.endswith(VERBS) else name


def reference_names(field: str, *, several: bool = False) -> tuple[str, str]:
    """Return the names of a reference's record and of its id: `account` and `account_id`, however it is declared."""
    record = field.removesuffix("_id") if len(field) > len("_id") else field
    return record, f"{record}_ids" if several else f"{record}_id"
