"""Registers: lists of rows and the pages of one row."""

from unfold.sites import UnfoldAdminSite

from apps.console.registers.access import (
    ApiKeyRegister,
    InvitationRegister,
    MembershipRegister,
    SessionRegister,
)
from apps.console.registers.hosts import HostRegister
from apps.console.registers.jobs import JobRegister
from apps.console.registers.people import PersonRegister
from apps.console.registers.plans import PlanRegister
from apps.console.registers.schedules import ScheduleRegister
from apps.console.registers.tenants import TenantRegister
from apps.console.registers.webhooks import EndpointRegister, SourceRegister
from apps.events.models import Job, Schedule, WebhookEndpoint, WebhookSource
from apps.identity.models import ApiKey, Invitation, Membership, Session, User
from apps.tenants.models import Host, Plan, Tenant

REGISTERS = {
    Tenant: TenantRegister,
    Host: HostRegister,
    Plan: PlanRegister,
    User: PersonRegister,
    Membership: MembershipRegister,
    Invitation: InvitationRegister,
    Session: SessionRegister,
    ApiKey: ApiKeyRegister,
    Job: JobRegister,
    Schedule: ScheduleRegister,
    WebhookEndpoint: EndpointRegister,
    WebhookSource: SourceRegister,
}


def enroll(site: UnfoldAdminSite) -> None:
    """Put every register on the site."""
    for model, register in REGISTERS.items():
        site.register(model, register)
