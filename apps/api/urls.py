"""The addresses of the API, the same on every host. The last one refuses whatever no door serves."""

from django.urls import include, path, re_path

from apps.api import (
    analytics,
    discovery,
    health,
    i18n,
    integrity,
    jobs,
    ledger,
    letters,
    menu,
    packages,
    privacy,
    schedules,
    search,
    security,
)
from apps.api.access import asking, holders, rules, shares
from apps.api.data import batches, history, reading, versions, writing
from apps.api.export.door import ExportDoor
from apps.api.graphql import door as graphql
from apps.api.imports import doors as imports
from apps.api.live.signpost import EventStreamDoor, GraphQLStreamDoor
from apps.api.meta import doors as meta
from apps.api.meta import history as designs
from apps.api.meta.saving import ObjectItemDoor
from apps.api.meta.states import NextStatesDoor
from apps.api.openapi import doors as openapi

V1 = "api/v1"


def data_urls(prefix: str) -> list[object]:
    """Return the addresses of records below `prefix`."""
    one = f"{prefix}/<str:name>/<str:record_id>"
    run = f"{prefix}/import/jobs/<str:job_id>"
    return [
        path(f"{prefix}/import/jobs", imports.JobsDoor.as_view()),
        path(run, imports.JobDoor.as_view()),
        path(f"{run}/results", imports.ResultsDoor.as_view()),
        path(f"{run}/cancel", imports.CancelDoor.as_view()),
        path(f"{run}/resume", imports.ResumeDoor.as_view()),
        path(f"{run}/undo", imports.UndoDoor.as_view()),
        path(f"{prefix}/<str:name>/import", imports.ImportDoor.as_view()),
        path(f"{prefix}/<str:name>/import/jobs", imports.ImportJobsDoor.as_view()),
        path(f"{prefix}/<str:name>", writing.RecordsDoor.as_view()),
        path(f"{prefix}/<str:name>/query", reading.QueryDoor.as_view()),
        path(f"{prefix}/<str:name>/createMany", batches.CreateManyDoor.as_view()),
        path(f"{prefix}/<str:name>/updateMany", batches.UpdateManyDoor.as_view()),
        path(f"{prefix}/<str:name>/deleteMany", batches.DeleteManyDoor.as_view()),
        path(f"{prefix}/<str:name>/batch", batches.BatchDoor.as_view()),
        path(f"{prefix}/<str:name>/export", ExportDoor.as_view()),
        path(one, writing.RecordDoor.as_view()),
        path(f"{one}/clone", writing.CloneDoor.as_view()),
        path(f"{one}/restore", writing.RestoreDoor.as_view()),
        path(f"{one}/shares", shares.SharesDoor.as_view()),
        path(f"{one}/shares/<str:share_id>", shares.ShareDoor.as_view()),
        path(f"{one}/history", history.HistoryDoor.as_view()),
        path(f"{one}/versions", versions.VersionsDoor.as_view()),
        path(f"{one}/versions/<str:number>", versions.VersionDoor.as_view()),
        path(f"{one}/versions/<str:number>/restore", versions.RestoreVersionDoor.as_view()),
        path(f"{one}/compare", versions.CompareDoor.as_view()),
    ]


def design_urls(one: str) -> list[object]:
    """Return the addresses of one object's definition."""
    return [
        path(one, ObjectItemDoor.as_view()),
        path(f"{one}/history", designs.HistoryDoor.as_view()),
        path(f"{one}/audit", designs.AuditDoor.as_view()),
        path(f"{one}/diff", designs.DiffDoor.as_view()),
        path(f"{one}/rollback", designs.RollbackDoor.as_view()),
        path(f"{one}/draft", designs.DraftDoor.as_view()),
        path(f"{one}/publish", designs.PublishDoor.as_view()),
        path(f"{one}/published", designs.PublishedDoor.as_view()),
        path(f"{one}/layers", designs.LayersDoor.as_view()),
        path(f"{one}/state/<str:field>", NextStatesDoor.as_view()),
        path(f"{one}/references", designs.ReferencesDoor.as_view()),
    ]


urlpatterns = [
    *data_urls(f"{V1}/data"),  # first: what is asked most is found soonest
    path(".well-known/objectstack", discovery.WellKnownDoor.as_view()),
    path("healthz", health.AliveDoor.as_view(), name="healthz"),
    path("healthz/host", health.ServedHostDoor.as_view()),
    path("readyz", health.ReadyDoor.as_view(), name="readyz"),
    path("metrics", health.MetricsDoor.as_view(), name="metrics"),
    path("diagz", health.DiagnosisDoor.as_view(), name="diagz"),
    path(V1, discovery.DiscoveryDoor.as_view()),
    path(f"{V1}/discovery", discovery.DiscoveryDoor.as_view(), name="discovery"),
    path(f"{V1}/health", health.ProtocolHealthDoor.as_view()),
    path(f"{V1}/ready", health.ProtocolReadyDoor.as_view()),
    path(f"{V1}/openapi.json", openapi.SchemaDoor.as_view(), name="openapi"),
    path(f"{V1}/docs", openapi.DocsDoor.as_view(), name="api-docs"),
    path(f"{V1}/auth/", include("apps.api.auth.urls")),
    path(f"{V1}/", include("apps.api.auth.key_urls")),
    path(f"{V1}/", include("apps.api.hooks.urls")),
    path(f"{V1}/batch", batches.TransactionDoor.as_view()),
    path(f"{V1}/analytics/dataset/query", analytics.DatasetDoor.as_view()),
    path(f"{V1}/analytics/meta", analytics.CubesDoor.as_view()),
    path(f"{V1}/analytics/query", analytics.QueryDoor.as_view()),
    path(f"{V1}/analytics/sql", analytics.StatementDoor.as_view()),
    path(f"{V1}/graphql", graphql.GraphQLDoor.as_view(), name="graphql"),
    path(f"{V1}/graphiql", graphql.GraphiQLDoor.as_view(), name="graphiql"),
    path(f"{V1}/graphql/stream", GraphQLStreamDoor.as_view()),
    path(f"{V1}/search", search.SearchDoor.as_view()),
    path(f"{V1}/security/explain", security.ExplainDoor.as_view()),
    path(f"{V1}/security/what-if", asking.WhatIfDoor.as_view()),
    path(f"{V1}/security/suggest", asking.SuggestDoor.as_view()),
    path(f"{V1}/security/matrix", asking.MatrixDoor.as_view()),
    path(f"{V1}/security/groups", holders.GroupsDoor.as_view()),
    path(f"{V1}/security/groups/<str:name>", holders.GroupDoor.as_view()),
    path(f"{V1}/security/groups/<str:name>/members/<str:user_id>", holders.GroupMemberDoor.as_view()),
    path(f"{V1}/security/assignments", holders.AssignmentsDoor.as_view()),
    path(f"{V1}/security/assignments/<str:user_id>/<str:name>", holders.AssignmentDoor.as_view()),
    path(f"{V1}/security/restrictions", rules.RestrictionsDoor.as_view()),
    path(f"{V1}/security/restrictions/<str:name>", rules.RestrictionDoor.as_view()),
    path(f"{V1}/security/emergency", holders.EmergencyDoor.as_view()),
    path(f"{V1}/security/emergency/<str:user_id>", holders.EndEmergencyDoor.as_view()),
    path(f"{V1}/sharing/rules", rules.RulesDoor.as_view()),
    path(f"{V1}/sharing/rules/<str:name>", rules.RuleDoor.as_view()),
    path(f"{V1}/sharing/rules/<str:name>/evaluate", rules.EvaluateRuleDoor.as_view()),
    path(f"{V1}/meta", meta.TypesDoor.as_view()),
    path(f"{V1}/meta/types", meta.TypesDoor.as_view()),
    path(f"{V1}/meta/_drafts", designs.DraftsDoor.as_view()),
    path(f"{V1}/meta/diagnostics", designs.DiagnosticsDoor.as_view()),
    *design_urls(f"{V1}/meta/object/<str:name>"),
    path(f"{V1}/meta/<str:kind>", meta.ItemsDoor.as_view()),
    path(f"{V1}/meta/<str:kind>/<str:name>", meta.ItemDoor.as_view()),
    path(f"{V1}/ui/view/<str:name>/<str:kind>", meta.ViewDoor.as_view()),
    path(f"{V1}/i18n/locales", i18n.LocalesDoor.as_view()),
    path(f"{V1}/i18n/labels/<str:name>/<str:locale>", i18n.LabelsDoor.as_view()),
    path(f"{V1}/i18n/translations/<str:locale>", i18n.TranslationsDoor.as_view()),
    path(f"{V1}/events/stream", EventStreamDoor.as_view()),
    path(f"{V1}/jobs", jobs.JobsDoor.as_view()),
    path(f"{V1}/jobs/dead-letters", letters.LettersDoor.as_view()),
    path(f"{V1}/jobs/dead-letters/replay", letters.ReplayDoor.as_view()),
    path(f"{V1}/jobs/dead-letters/replay/<str:job_id>/stop", letters.StopReplayDoor.as_view()),
    path(f"{V1}/jobs/dead-letters/<str:job_id>", letters.LetterDoor.as_view()),
    path(f"{V1}/jobs/dead-letters/<str:job_id>/retry", letters.RetryLetterDoor.as_view()),
    path(f"{V1}/jobs/dead-letters/<str:job_id>/quarantine", letters.QuarantineDoor.as_view()),
    path(f"{V1}/jobs/dead-letters/<str:job_id>/discard", letters.DiscardDoor.as_view()),
    path(f"{V1}/jobs/<str:job_id>", jobs.JobDoor.as_view()),
    path(f"{V1}/jobs/<str:job_id>/log", jobs.JobLogDoor.as_view()),
    path(f"{V1}/jobs/<str:job_id>/cancel", jobs.CancelJobDoor.as_view()),
    path(f"{V1}/jobs/<str:job_id>/retry", jobs.RetryJobDoor.as_view()),
    path(f"{V1}/me/apps", menu.AppsDoor.as_view()),
    path(f"{V1}/packages", packages.PackagesDoor.as_view()),
    path(f"{V1}/packages/<str:package>", packages.PackageDoor.as_view()),
    path(f"{V1}/packages/<str:package>/export", packages.PackageExportDoor.as_view()),
    path(f"{V1}/packages/<str:package>/enable", packages.PackageSwitchDoor.as_view()),
    path(f"{V1}/packages/<str:package>/disable", packages.PackageSwitchDoor.as_view()),
    path(f"{V1}/schedules", schedules.SchedulesDoor.as_view()),
    path(f"{V1}/schedules/<str:schedule_id>", schedules.OneScheduleDoor.as_view()),
    path(f"{V1}/schedules/<str:schedule_id>/pause", schedules.PauseScheduleDoor.as_view()),
    path(f"{V1}/schedules/<str:schedule_id>/resume", schedules.ResumeScheduleDoor.as_view()),
    path(f"{V1}/schedules/<str:schedule_id>/run", schedules.RunScheduleDoor.as_view()),
    path(f"{V1}/ledger/integrity", integrity.IntegrityDoor.as_view()),
    path(f"{V1}/ledger/keys", ledger.KeysDoor.as_view()),
    path(f"{V1}/ledger/checkpoint", ledger.CheckpointDoor.as_view()),
    path(f"{V1}/ledger/checkpoints", ledger.CheckpointsDoor.as_view()),
    path(f"{V1}/ledger/proofs/inclusion", ledger.InclusionDoor.as_view()),
    path(f"{V1}/ledger/proofs/consistency", ledger.ConsistencyDoor.as_view()),
    path(f"{V1}/ledger/evidence", ledger.EvidenceDoor.as_view(), name="ledger-evidence"),
    path(f"{V1}/ledger/export", privacy.LedgerExportDoor.as_view()),
    path(f"{V1}/privacy/erasures", privacy.ErasuresDoor.as_view()),
    path(f"{V1}/privacy/holds", privacy.HoldsDoor.as_view()),
    path(f"{V1}/privacy/holds/<uuid:hold_id>/release", privacy.ReleaseHoldDoor.as_view()),
    path(f"{V1}/privacy/retention", privacy.RetentionDoor.as_view()),
    path(f"{V1}/ledger/anchor", ledger.AnchorDoor.as_view()),
    # The addresses of ObjectOS, for its clients: the same doors.
    *data_urls("api/data"),
    path("api/metadata/<str:name>", meta.MetadataAliasDoor.as_view()),
    re_path(r"^api(?:/[\s\S]*)?\Z", discovery.MissingDoor.as_view()),
]
