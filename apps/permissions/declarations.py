"""Every key of a permission set's YAML, with the code that enforces it and the test that proves it."""

from apps.core.declared import declare

ACCESS = "apps.permissions.access:"
TESTS = "tests/permissions/test_access.py::"
OBJECT_KEYS = {
    "allowRead": ("Read records.", "test_a_grant_names_its_set"),
    "allowCreate": ("Make records.", "test_modify_all_brings_view_edit_and_delete"),
    "allowEdit": (
        "Change records.",
        "test_a_named_object_replaces_the_wildcard_in_one_set_and_adds_across_sets",
    ),
    "allowDelete": ("Put records into the bin and take them out.", "test_sharing_model"),
    "allowExport": ("Export what may be read.", "test_require_raises_with_the_reason"),
    "allowTransfer": ("Give records to another owner.", "test_edit_is_never_wider_than_read"),
    "allowPurge": ("Remove records from the bin for good.", "test_edit_is_never_wider_than_read"),
    "viewAllRecords": ("Read every record, whoever owns it.", "test_sharing_model"),
    "modifyAllRecords": (
        "Read, change and delete every record.",
        "test_modify_all_brings_view_edit_and_delete",
    ),
    "readScope": (
        "`own`, `own_and_reports`, `unit`, `unit_and_below`, or `org`, another way to write viewAllRecords.",
        "test_scopes_of_reading_and_writing",
    ),
    "writeScope": (
        "`own`, `own_and_reports`, `unit`, `unit_and_below`, or `org`, another way to write modifyAllRecords.",
        "test_scopes_of_reading_and_writing",
    ),
}
POLICY_KEYS = {
    "object": ("The object whose records the policy is about; `*` for all.", "text"),
    "operation": ("`select`, `insert`, `update`, `delete` or `all`.", "text"),
    "using": ("The condition of records that the set reaches.", "expression"),
    "check": ("The condition of records as they are written; `using` when missing.", "expression"),
    "positions": ("The roles for whose holders the policy lets records through.", "list"),
    "enabled": ("False leaves the policy out.", "flag"),
}
FIELD_KEYS = {
    "readable": "The field may be read; true unless said otherwise.",
    "editable": "The field may be written; false unless said otherwise.",
    "unmasked": "A field with a maskingRule is seen as it is; false unless said otherwise.",
}


def declare_keys() -> None:
    """Enter the keys into the register."""
    for key, (doc, test) in OBJECT_KEYS.items():
        declare(
            kind="yaml",
            key=f"permission_set.objects.{key}",
            doc=doc,
            enforced_by=ACCESS + "Access.predicate",
            tested_by=TESTS + test,
            type="text" if key.endswith("Scope") else "flag",
        )
    for key, doc in FIELD_KEYS.items():
        declare(
            kind="yaml",
            key=f"permission_set.fields.{key}",
            doc=doc,
            enforced_by=ACCESS + "Access.readable",
            tested_by=TESTS + "test_fields_are_withheld_and_a_second_set_gives_them_back",
            type="flag",
        )
    for key, (doc, type_) in POLICY_KEYS.items():
        declare(
            kind="yaml",
            key=f"permission_set.rowLevelSecurity.{key}",
            doc=doc,
            enforced_by="apps.permissions.reach:Sources.reach",
            tested_by="tests/permissions/test_reach.py::test_check_sql_fields_and_the_reference_agree",
            type=type_,
        )
    declare(
        kind="yaml",
        key="permission_set.systemPermissions",
        doc="Rights that concern no object: members, permission sets, modules, settings, the ledger.",
        enforced_by=ACCESS + "Access.require_system",
        tested_by=TESTS + "test_scopes_narrow_system_permissions",
        type="list",
    )
