"""The console's pages that are not registers of rows."""

from apps.console.pages.catalogue import CataloguePage
from apps.console.pages.dead_letters import DeadLettersPage, ReplayPage
from apps.console.pages.download import DownloadArchive
from apps.console.pages.health import AcknowledgeAlert, HealthPage
from apps.console.pages.import_tenant import ImportTenant
from apps.console.pages.integrity import IntegrityPage
from apps.console.pages.job_state import JobState
from apps.console.pages.ledger import LedgerPage
from apps.console.pages.new_operator import NewOperator
from apps.console.pages.new_plan import NewPlan
from apps.console.pages.new_schedule import NewSchedule
from apps.console.pages.new_tenant import NewTenant
from apps.console.pages.own_password import OwnPassword
from apps.console.pages.page import Page
from apps.console.pages.settings_reference import SettingsPage

PAGES = (
    Page("tenants/new/", "new_tenant", NewTenant),
    Page("tenants/import/", "import_tenant", ImportTenant),
    Page("tenants/<uuid:tenant>/archives/<str:name>", "download_archive", DownloadArchive),
    Page("modules/", "catalogue", CataloguePage),
    Page("plans/new/", "new_plan", NewPlan),
    Page("people/new/", "new_operator", NewOperator),
    Page("password/", "own_password", OwnPassword),
    Page("jobs/<uuid:job>/state/", "job_state", JobState),
    Page("dead-letters/", "dead_letters", DeadLettersPage),
    Page("dead-letters/replay/", "replay", ReplayPage),
    Page("schedules/new/", "new_schedule", NewSchedule),
    Page("ledger/", "ledger", LedgerPage),
    Page("health/", "health", HealthPage),
    Page("alerts/<uuid:alert>/acknowledge/", "acknowledge_alert", AcknowledgeAlert),
    Page("integrity/", "integrity", IntegrityPage),
    Page("settings/", "settings", SettingsPage),
)
