"""The isolation matrix: every route × method, asked by one tenant's most powerful member for another's things."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver

from apps.core.actor import SYSTEM, Actor
from apps.core.scope import TenantRef, platform_scope, tenant_scope

CANARY = "zqcanary"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
PARAMETER = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LEAVES_SESSION = ("sign-out", "revoke-session", "profile/password", "change-password", "profile/sessions")


@dataclass
class Side:
    """A tenant with its owner, an API key, and the ids of things in it."""

    ref: TenantRef
    actor: Actor
    key: str
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"{self.ref.slug}.localhost"


def make_side(slug: str, mark: str) -> Side:
    """Open a tenant with the CRM, an owner and records whose every text carries `mark`."""
    from apps.identity.models import Membership, User
    from apps.identity.services.invitations import invite
    from apps.identity.services.keys import create_key
    from apps.modules import catalogue
    from apps.objects import records
    from apps.tenants.provision import Order, create_tenant

    with platform_scope("test"):
        catalogue.register_all(by=SYSTEM)
    seed = {
        "owner_email": f"{mark}@{slug}.test",
        "owner_name": f"{mark} owner",
        "owner_password": "correct horse battery staple",
    }
    made = create_tenant(
        by=SYSTEM,
        wanted=Order(slug=slug, name=f"{mark} limited", seed=seed | {"modules": ["crm"]}),
        default_host=f"{slug}.localhost",
    )
    with platform_scope("test"):
        user = User.objects.get(email=seed["owner_email"])
    actor = Actor(
        kind="member", id=str(user.id), label=user.name, tenant_id=made.id, user_id=user.id, role="owner"
    )
    package = _package(made.ref, actor, mark)
    with tenant_scope(made.ref):
        created = create_key(name=f"{mark} key", by=actor)
        side = Side(made.ref, actor, created.key)
        account = records.create("crm_account", {"name": f"{mark} account", "customer_code": mark}, by=actor)
        contact = records.create(
            "crm_contact", {"full_name": f"{mark} person", "account": account.id}, by=actor
        )
        lead = records.create("crm_lead", {"name": f"{mark} lead", "company": f"{mark} company"}, by=actor)
        invited = invite(email=f"{mark}-guest@{slug}.test", by=actor)
        side.ids = {
            "crm_account": account.id,
            "share_id": _share(account.id, actor),
            "crm_contact": contact.id,
            "crm_lead": lead.id,
            "user_id": str(user.id),
            "key_id": str(created.row.id) if hasattr(created, "row") else str(created.id),
            "invitation_id": str(invited.invitation.id),
            "membership": str(Membership.objects.get(user=user).id),
            "job_id": _job(made.ref, actor, mark),
            "view_id": _view(actor, mark),
            "report_id": _report(actor, mark),
            "dashboard_id": _dashboard(actor, mark),
            "run_id": _import(actor, mark),
            "hold_id": _hold(mark),
            "alert_id": _alert(made.ref, mark),
            "schedule_id": _schedule(actor, mark),
            "package": package,
            **_webhooks(actor, mark),
        }
    return side


def _package(ref: TenantRef, actor: Actor, mark: str) -> str:
    from apps.core.db.owner import owner_session
    from apps.modules import packages
    from apps.modules.artifact.stack import read_stack

    code = ref.slug.replace("-", "")  # an answer may repeat the id that was asked for
    manifest = {"id": f"com.example.{code}", "namespace": code, "version": "1.0.0", "name": f"{mark} package"}
    with owner_session(), tenant_scope(ref):
        return packages.bring(read_stack({"manifest": manifest}), by=actor).module


def _job(ref: TenantRef, actor: Actor, mark: str) -> str:
    from apps.core import queue

    args = {"run_id": str(uuid.uuid4())}
    return str(queue.enqueue("objects.import_check", tenant=ref.id, args=args, title=f"{mark} job", by=actor))


def _schedule(actor: Actor, mark: str) -> str:
    from apps.events.schedules import services
    from apps.events.schedules.timing import Timing

    timing = Timing("cron", cron="0 7 * * MON")
    args = {"name": mark}
    made = services.create(title=f"{mark} week", task="events.announce", args=args, timing=timing, by=actor)
    return str(made.pk)


def _alert(ref: TenantRef, mark: str) -> str:
    from apps.events.models import Alert

    made = Alert.objects.create(
        tenant_id=ref.id, kind="ledger.tampered", subject=mark, severity="critical", message=f"{mark} alert"
    )
    return str(made.pk)


def _view(actor: Actor, mark: str) -> str:
    from apps.portal.models import SavedView

    names = {f.name for f in SavedView._meta.fields}
    values: dict[str, Any] = {"object_name": "crm_lead", "object": "crm_lead", "name": mark, "query": {}}
    values |= {
        "owner_id": actor.user_id,
        "user_id": actor.user_id,
        "created_by": actor.user_id,
        "is_shared": True,
    }
    return str(SavedView.objects.create(**{key: value for key, value in values.items() if key in names}).pk)


def _report(actor: Actor, mark: str) -> str:
    from apps.portal.reports import keeping

    query = f"?object=crm_lead&g=status&f=0.name.has.{mark}"
    return str(keeping.save(report_id=None, name=f"{mark} report", query=query, shared=True, by=actor).pk)


def _dashboard(actor: Actor, mark: str) -> str:
    from apps.portal.reports import dashboards

    widgets = [{"object": "crm_lead", "query": {}, "title": mark, "size": 2}]
    return str(dashboards.create(name=f"{mark} board", shared=True, widgets=widgets, by=actor).pk)


def _hold(mark: str) -> str:
    from apps.audit.privacy import holds

    return str(holds.place(subject=f"crm_lead:{mark}", reason=f"{mark} case", by=SYSTEM).pk)


def _import(actor: Actor, mark: str) -> str:
    from apps.objects.transfer import imports

    content = f"name\n{mark} row\n".encode()
    return str(
        imports.upload(object_name="crm_account", file_name=f"{mark}.csv", content=content, by=actor).id
    )


def _share(account: str, actor: Actor) -> str:
    from apps.objects.records import sharing
    from apps.permissions.models import Level

    made = sharing.share("crm_account", account, principal="everyone", level=Level.READ, by=actor)
    return str(made.id)


def _webhooks(actor: Actor, mark: str) -> dict[str, str]:
    from apps.events.webhooks import deliveries, endpoints, sources

    url = f"https://hooks.example.org/{mark}"
    endpoint, _secret = endpoints.create(url=url, types=["*"], description=f"{mark} webhook", by=actor)
    source, _secret = sources.create(name="probe", scheme="standard", description=f"{mark} in", by=actor)
    delivery_id = deliveries.test(endpoint_id=endpoint.id, by=actor)
    return {"endpoint_id": str(endpoint.id), "source_id": str(source.id), "delivery_id": str(delivery_id)}


def routes(module: str) -> Iterator[tuple[str, Any]]:
    """Yield every route of a URL configuration with its view."""

    def walk(patterns: Any, prefix: str) -> Iterator[tuple[str, Any]]:
        for item in patterns:
            text = prefix + str(item.pattern)
            if isinstance(item, URLResolver):
                yield from walk(item.url_patterns, text)
            elif isinstance(item, URLPattern):
                yield text, item.callback

    yield from walk(import_module(module).urlpatterns, "")


def fill(route: str, side: Side) -> list[str]:
    """Return paths of a route with the side's ids; raise KeyError for a parameter that has no case here."""
    plain = re.sub(r"[\^$]|\(\?.*", "", route)
    objects = ["crm_account", "crm_lead"] if "name>" in plain else [""]
    return ["/" + _path(plain, name, side) for name in objects]


def _path(plain: str, object_name: str, side: Side) -> str:
    return PARAMETER.sub(lambda found: _value(found["name"], plain, object_name, side), plain)


def _value(name: str, route: str, object_name: str, side: Side) -> str:
    fixed = {
        "kind": "list" if "ui/view" in route else "object",
        "locale": "en",
        "color": "206bc4",
        "token": "x" * 43,
        "rest": "nowhere",
        "session_id": str(uuid.uuid4()),
        "share_id": str(uuid.uuid4()),
        "signed": "x",
        "module": "crm",
        "field": "account",
        "act": "discard",
        "number": "1",
        "type_": "text",
    }
    if name in fixed:
        return fixed[name]
    if name in {"record_id", "key"}:
        return side.ids[object_name]
    if name == "name":
        return "crm_admin" if "permissions" in route else "logo.png" if "logo" in route else object_name
    if name == "version":
        return "1"
    return side.ids[name]


def bodies(side: Side) -> list[dict[str, Any]]:
    """Return bodies that name the side's things wherever a body may."""
    lead, account = side.ids["crm_lead"], side.ids["crm_account"]
    return [
        {
            "name": "probe",
            "company": "probe",
            "full_name": "probe",
            "account": account,
            "owner_id": side.ids["user_id"],
            "tenant": str(side.ref.id),
            "tenant_id": str(side.ref.id),
            "organizationId": str(side.ref.id),
            "where": {"owner_id": side.ids["user_id"]},
            "ids": [lead],
            "records": [{"id": lead, "data": {"name": "x"}}],
            "operation": "delete",
            "operations": [{"object": "crm_lead", "action": "delete", "id": lead}],
            "userId": side.ids["user_id"],
            "memberId": side.ids["membership"],
            "id": lead,
            "recordId": lead,
            "object": "crm_lead",
            "expectedVersion": 1,
        }
    ]


QUERIES = (
    "",
    "?filter=%5B%22owner_id%22%2C%22%3D%22%2C%22{user_id}%22%5D",
    "?expand=account&q=zqcanar&search=zqcanar",
)


@dataclass(frozen=True)
class Answer:
    """One answer of the matrix."""

    method: str
    path: str
    status: int
    text: str


@dataclass
class Attacker:
    """Sends requests as one tenant, at a host, with the credentials it has."""

    side: Side
    host: str
    use: str  # key, session, both
    extra: dict[str, str] = field(default_factory=dict)
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def sign_in(self) -> None:
        """Open a browser session of the attacker at its own host, and carry its cookie to the target."""
        from django.conf import settings

        from apps.identity.models import Session, User
        from apps.identity.place import Place
        from apps.identity.services.sessions import open_session

        with tenant_scope(self.side.ref):
            user = User.objects.get(pk=self.side.actor.user_id)
            place = Place(host=self.side.host, tenant=self.side.ref)
            opened = open_session(user=user, place=place, tenant=self.side.ref, kind=Session.Kind.WEB)
        self.client.cookies[settings.SESSION_COOKIE_NAME] = opened.token

    def send(self, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        headers = {"HTTP_HOST": self.host, **self.extra}
        api = path.startswith("/api")
        if self.use in {"key", "both"} and api:
            headers["HTTP_X_API_KEY"] = self.side.key
        if self.use in {"session", "both"} and not api:
            self.sign_in()
        if body is None:
            response = self.client.generic(method, path, **headers)
        elif api:
            response = self.client.generic(method, path, json.dumps(body), "application/json", **headers)
        else:
            flat = {
                key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()
            }
            response = self.client.post(path, flat, **headers)
        raw = b"".join(response.streaming_content) if response.streaming else response.content
        return Answer(
            method, path, response.status_code, raw.decode(errors="replace") + str(dict(response.headers))
        )


def sweep(
    attacker: Attacker, target: Side, module: str, methods: tuple[str, ...] = METHODS
) -> Iterator[Answer]:
    """Send every method to every route of `module` with the target's ids in path, query and body."""
    for route, _view_function in routes(module):
        if any(part in route for part in ("admin_doc", "static/")):
            continue
        for path in fill(route, target):
            for method in methods:
                if not path.startswith("/api") and method not in {"GET", "POST"}:
                    continue
                if method in {"GET", "HEAD"}:
                    for query in QUERIES:
                        yield attacker.send(method, path + query.format(**target.ids), None)
                else:
                    for body in bodies(target):
                        yield attacker.send(method, path, body)


def digest(ref: TenantRef, superuser_url: str) -> dict[str, str]:
    """Return a hash per table of everything the tenant has, as the superuser sees it."""
    import psycopg

    with psycopg.connect(superuser_url) as admin:
        names = admin.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname = %s",
            [ref.schema],
        ).fetchall()
        hashes = {}
        for (name,) in names:
            row = admin.execute(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t"
            ).fetchone()
            hashes[name] = row[0]
        for name in (
            "identity_membership", "identity_invitation", "identity_apikey", "tenants_host",
            "webhooks_endpoint", "webhooks_secret", "webhooks_delivery", "webhooks_source", "webhooks_receipt",
        ):  # fmt: skip
            row = admin.execute(
                f"SELECT md5(coalesce(string_agg((to_jsonb(t) - 'last_used_at')::text, '|' ORDER BY t.id), ''))"
                f" FROM public.{name} t WHERE tenant_id = %s",
                [ref.id],
            ).fetchone()
            hashes[name] = row[0]
        return hashes


def normal(text: str) -> str:
    """Return an answer without ids and times, for the comparison of foreign with absent."""
    return re.sub(
        r"\d{4}-\d\d-\d\dT[\d:.]+Z|r=\d+;t=\d+|nonce-[\w+/=-]+|csrf[\w]*['\"= ]+[^'\";]+",
        "",
        IDS.sub("ID", text),
    )
