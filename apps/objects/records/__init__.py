"""Records: the only code that writes them; rights, values, history and events in one transaction.

    from apps.objects import records

    written = records.create("crm_lead", {"name": "Ann"}, by=actor, tenant=ref)
    written = records.update("crm_lead", id, {"status": "won"}, by=actor, if_match=request.headers.get("If-Match"))
        # written.body() -> bytes {"object","id","record","droppedFields"?}; .header() for x-objectstack-dropped-fields
        # written.record() -> dict; .text is the record's JSON as the writer may read it; .dropped, .changed
    removed = records.delete("crm_lead", id, by=actor, if_match=…)   # into the bin; .body() -> {"object","id","success"}
    written = records.restore("crm_lead", id, by=actor)              # idempotent
    removed = records.purge("crm_lead", id, by=actor)                # for good; needs allowPurge
    written = records.clone("crm_lead", id, overrides, by=actor)     # .body() carries sourceId
    list_of_written = records.create_many("crm_lead", rows, by=actor)            # all or nothing, at most 200
    result = records.batch("crm_lead", "upsert", rows, by=actor, atomic=False, continue_on_error=True,
                           return_records=True)                     # rows {id?, data?, externalId?}; .as_dict()
    result = records.update_many("crm_lead", [{"id": …, "data": {…}}], by=actor, …)
    result = records.delete_many("crm_lead", ids, by=actor, …)

Inside the tenant's scope every call is a savepoint, so a caught Problem leaves the scope usable; outside give
`tenant` and the call opens its own transaction. `zone` is the zone of date-times written without one. `if_match`
is a version, an `updated_at`, or either as the text of an If-Match header.

Problems: OBJECT_NOT_FOUND, RECORD_NOT_FOUND (404), INVALID_FIELD, VALIDATION_FAILED with `fields` (400),
PERMISSION_DENIED (403, also written to the ledger), UNIQUE_VIOLATION, CONCURRENT_UPDATE (`currentVersion`,
`currentRecord`), DELETE_RESTRICTED (`dependentObject`, `dependentCount`), INVALID_STATE (409).
Every change writes the ledger entry and the event `<object>.created|updated|deleted|restored|purged`.
"""

from apps.objects.records.bulk import Batch, batch, create_many, delete_many, update_many
from apps.objects.records.call import Unsure
from apps.objects.records.change import clone, create, update
from apps.objects.records.looks import Looks, looks
from apps.objects.records.remove import delete, purge, restore
from apps.objects.records.written import Removed, Written

__all__ = [
    "Batch",
    "Looks",
    "Removed",
    "Unsure",
    "Written",
    "batch",
    "clone",
    "create",
    "create_many",
    "delete",
    "delete_many",
    "looks",
    "purge",
    "restore",
    "update",
    "update_many",
]
