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
        "`own` or `org`: another way to write viewAllRecords.",
        "test_scopes_of_reading_and_writing",
    ),
    "writeScope": (
        "`own` or `org`: another way to write modifyAllRecords.",
        "test_scopes_of_reading_and_writing",
    ),
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
    declare(
        kind="yaml",
        key="permission_set.systemPermissions",
        doc="Rights that concern no object: members, permission sets, modules, settings, the ledger.",
        enforced_by=ACCESS + "Access.require_system",
        tested_by=TESTS + "test_scopes_narrow_system_permissions",
        type="list",
    )
