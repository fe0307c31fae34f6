"""Imports: files read, columns mapped, rows checked and written, taken back; real Northwind data."""

import io
from uuid import UUID

import pytest
from openpyxl import Workbook

from apps.core import queue
from apps.core.actor import Actor
from apps.core.clock import bump
from apps.core.errors import Invalid, NotFound, PermissionDenied, Problem
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.identity.models import Membership, User
from apps.objects import query
from apps.objects.transfer import imports, jobs, queries, source
from apps.objects.transfer.mapping import guess
from apps.objects.transfer.models import ImportRun
from tests import northwind

NORTHWIND = northwind.folder()


class Job:
    """A job handle without a queue, for the handlers."""

    def __init__(self, tenant: TenantRef, by: Actor, stop_after: int = 10**9) -> None:
        self.id, self.tenant_id, self.by = UUID(int=1), tenant.id, by
        self.seen: list[int] = []
        self._stop_after = stop_after

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        self.seen.append(done)

    def log(self, text: str) -> None:
        pass

    def cancelled(self) -> bool:
        return len(self.seen) >= self._stop_after


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", 'a;b\n1;"x\ny"\n'.encode("utf-8-sig"), [["1", "x\ny"]]),
        ("a.csv", "a,b\r\nÄ,\r\n".encode("cp1252"), [["Ä", ""]]),
        ("a.csv", "a\tb\n1\t2\n\n \t \n".encode("utf-16"), [["1", "2"]]),
        ("a.json", b'[{"a": 1, "b": [2]}, {"a": true}]', [["1", "[2]"], ["true", ""]]),
    ],
)
def test_files_are_read_as_they_come(name: str, content: bytes, expected: list[list[str]]) -> None:
    table = source.read(name, content)
    assert (table.header, table.rows) == (["a", "b"], expected)


def test_a_workbook_is_read() -> None:
    book = Workbook()
    book.active.append(["a", "b"])
    book.active.append(["東京", 3.0])
    out = io.BytesIO()
    book.save(out)
    assert source.read("x.xlsx", out.getvalue()).rows == [["東京", "3"]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"a,b\n"),
        ("a.csv", b"a,a\n1,2\n"),
        ("a.csv", b"a,,b\n1,2,3\n"),
        ("a.csv", b"a,b\n1,2,3\n"),
        ("a.csv", b'a,b\n"1,2\n'),
        ("a.csv", bytes(range(256)) * 4),
        ("a.exe", b"MZ"),
        ("a.xlsx", b"PK nonsense"),
        ("a.json", b'{"a": 1}'),
        ("a.json", b"[" * 100_000),
        ("a.csv", ("a\n" + "x" * 70_000).encode()),
    ],
)
def test_bad_files_are_refused_with_a_cure(name: str, content: bytes) -> None:
    with pytest.raises(Problem) as caught:
        source.read(name, content)
    assert caught.value.code == "FILE_INVALID"
    assert caught.value.cure


@pytest.fixture
def crm(fresh_tenant: TenantRef) -> TenantRef:
    """A tenant of its own with the CRM installed, committed."""
    from django.conf import settings

    from apps.core.actor import SYSTEM
    from apps.core.db.owner import owner_session
    from apps.modules import catalogue, install
    from apps.modules.source import load

    with platform_scope("test"):
        catalogue.register(source=load(settings.BASE_DIR / "modules" / "crm"), by=SYSTEM, replace=True)
    with owner_session(), tenant_scope(fresh_tenant):
        install.install("crm", by=SYSTEM)
    return fresh_tenant


def member(ref: TenantRef, name: str, role: str) -> Actor:
    """A new member, committed."""
    with platform_scope("test"):
        user = User.objects.create(email=f"{name}@{ref.slug}.test", name=name.title())
        Membership.objects.create(tenant_id=ref.id, user=user, role=role)
        bump(ref.id)
    return Actor(
        kind="member", id=str(user.id), label=user.name, tenant_id=ref.id, user_id=user.id, role=role
    )


@pytest.fixture
def admin(crm: TenantRef) -> Actor:
    """An administrator of that tenant."""
    return member(crm, "ada", "admin")


def run_import(
    ref: TenantRef,
    by: Actor,
    name: str,
    content: bytes,
    object_name: str,
    mapping: list[dict[str, str]],
    **how: str,
) -> tuple[ImportRun, dict[str, int]]:
    """Upload, choose and run one import as the portal does; return it and its counts."""
    with tenant_scope(ref):
        run = imports.upload(object_name=object_name, file_name=name, content=content, by=by)
        imports.choose(run_id=run.id, mapping=mapping, by=by, **({"mode": "insert"} | how))
        imports.check(run_id=run.id, by=by)
    checked = jobs.check(Job(ref, by), str(run.id))
    with tenant_scope(ref):
        imports.start(run_id=run.id, by=by)
    counts = jobs.run(Job(ref, by), str(run.id))
    assert checked == counts, "the dry run foretold what happened"
    return run, counts


def links(*pairs: tuple[str, ...]) -> list[dict[str, str]]:
    return [dict(zip(("column", "field", "match"), pair, strict=False)) for pair in pairs]


def total(name: str, by: Actor, where: dict[str, object] | None = None) -> int:
    return query.count(name, {"where": where or {}}, by=by)[0]


CUSTOMERS = links(
    ("customer_id", "customer_code"),
    ("company_name", "name"),
    ("phone", "phone"),
    ("city", "city"),
    ("country", "country"),
)
CONTACTS = links(
    ("contact_name", "full_name"), ("contact_title", "job_title"), ("customer_id", "account", "customer_code")
)
ORDERS = links(
    ("order_id", "name"),
    ("customer_id", "account", "customer_code"),
    ("order_date", "close_date"),
    ("freight", "cost"),
)
EMPLOYEES = links(
    ("first_name", "full_name"),
    ("last_name", "full_name"),
    ("title", "job_title"),
    ("birth_date", "birthday"),
)


def test_northwind_comes_in_counted_and_the_other_tenant_sees_none(
    crm: TenantRef, admin: Actor, acme: TenantRef
) -> None:
    customers = (NORTHWIND / "customers.csv").read_bytes()
    assert run_import(crm, admin, "customers.csv", customers, "crm_account", CUSTOMERS)[1] == {"created": 91}
    assert run_import(crm, admin, "customers.csv", customers, "crm_contact", CONTACTS)[1] == {"created": 91}
    orders = (NORTHWIND / "orders.csv").read_bytes()
    assert run_import(crm, admin, "orders.csv", orders, "crm_opportunity", ORDERS)[1] == {"created": 830}
    employees = (NORTHWIND / "employees.csv").read_bytes()
    assert run_import(crm, admin, "employees.csv", employees, "crm_contact", EMPLOYEES)[1] == {"created": 9}
    with tenant_scope(crm):
        assert total("crm_contact", admin) == 100
        found = query.find("crm_account", {"where": {"customer_code": "ANATR"}}, by=admin).records()[0]
        assert (found["name"], found["city"]) == ("Ana Trujillo Emparedados y helados", "México D.F.")
        assert total("crm_opportunity", admin, {"account": found["id"]}) == 4
        row = query.find("crm_opportunity", {"where": {"name": "10248"}}, by=admin).records()[0]
        assert (row["close_date"], str(row["cost"])) == ("1996-07-04", "32.38")
        assert total("crm_contact", admin, {"full_name": "Nancy Davolio"}) == 1
    with tenant_scope(acme):
        assert ImportRun.objects.count() == 0


def test_a_dry_run_writes_nothing_and_says_what_is_wrong(crm: TenantRef, admin: Actor) -> None:
    content = b"Name,Customer code,Type\nGood,A,customer\n,B,customer\nBad,C,nonsense\n=evil(),D,\n"
    with tenant_scope(crm):
        run = imports.upload(object_name="crm_account", file_name="x.csv", content=content, by=admin)
        assert [(item["column"], item["field"]) for item in run.mapping] == [
            ("Name", "name"),
            ("Customer code", "customer_code"),
            ("Type", "account_type"),
        ]
        imports.check(run_id=run.id, by=admin)
    assert jobs.check(Job(crm, admin), str(run.id)) == {"created": 2, "failed": 2}
    with tenant_scope(crm):
        assert total("crm_account", admin) == 0
        said = queries.faults(run.id, by=admin, dry=True)
        assert [(row.number, row.errors[0]["field"], row.errors[0]["code"]) for row in said] == [
            (2, "name", "required"),
            (3, "account_type", "invalid_option"),
        ]
        report = queries.faults_csv(run.id, by=admin, dry=True).decode("utf-8-sig")
        assert report.splitlines()[0] == "Name,Customer code,Type,_line,_error"


def test_upsert_by_a_key_and_taking_it_back(crm: TenantRef, admin: Actor) -> None:
    first = b"name,customer_code\nOne,A\nTwo,B\n"
    second = b"name,customer_code\nOne changed,A\nThree,C\n"
    chosen = links(("name", "name"), ("customer_code", "customer_code"))
    run_import(crm, admin, "a.csv", first, "crm_account", chosen)
    run, counts = run_import(
        crm, admin, "b.csv", second, "crm_account", chosen, mode="upsert", match_field="customer_code"
    )
    assert counts == {"updated": 1, "created": 1}
    with tenant_scope(crm):
        imports.undo(run_id=run.id, by=admin)
    assert jobs.undo(Job(crm, admin), str(run.id)) == {"undone": 2, "kept": 0}
    with tenant_scope(crm):
        names = {row["name"] for row in query.find("crm_account", {}, by=admin).records()}
    assert names == {"One", "Two"}


def test_what_was_changed_since_is_not_taken_back(crm: TenantRef, admin: Actor) -> None:
    from apps.objects import records

    run, _ = run_import(crm, admin, "a.csv", b"name\nOne\nTwo\n", "crm_account", links(("name", "name")))
    with tenant_scope(crm):
        found = query.find("crm_account", {"where": {"name": "One"}}, by=admin).records()[0]
        records.update("crm_account", found["id"], {"city": "Bern"}, by=admin)
        imports.undo(run_id=run.id, by=admin)
    assert jobs.undo(Job(crm, admin), str(run.id)) == {"undone": 1, "kept": 1}


def test_a_cancelled_import_goes_on_where_it_stopped(
    crm: TenantRef, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 10)
    content = ("name\n" + "".join(f"N{number}\n" for number in range(35))).encode()
    with tenant_scope(crm):
        run = imports.upload(object_name="crm_account", file_name="a.csv", content=content, by=admin)
        imports.start(run_id=run.id, by=admin)
    assert jobs.run(Job(crm, admin, stop_after=2), str(run.id)) == {"created": 20}
    with tenant_scope(crm):
        imports.start(run_id=run.id, by=admin)
    assert jobs.run(Job(crm, admin), str(run.id)) == {"created": 35}
    with tenant_scope(crm):
        assert total("crm_account", admin) == 35


def test_lookups_that_name_none_or_several_are_refused(crm: TenantRef, admin: Actor) -> None:
    run_import(crm, admin, "a.csv", b"name\nTwin\nTwin\n", "crm_account", links(("name", "name")))
    content = b"who,where\nAnn,Twin\nBob,Nobody\nCid,\n"
    chosen = links(("who", "full_name"), ("where", "account", "name"))
    run, counts = run_import(crm, admin, "c.csv", content, "crm_contact", chosen)
    assert counts == {"failed": 2, "created": 1}
    with tenant_scope(crm):
        said = [row.errors[0]["code"] for row in queries.faults(run.id, by=admin, dry=False)]
    assert said == ["reference_ambiguous", "reference_not_found"]


def test_a_mapping_that_cannot_work_is_refused_at_once(crm: TenantRef, admin: Actor) -> None:
    with tenant_scope(crm):
        run = imports.upload(object_name="crm_account", file_name="a.csv", content=b"a,b\n1,2\n", by=admin)
        for mapping in (
            [],
            links(("nope", "name")),
            links(("a", "no_such")),
            links(("a", "customer_code"), ("b", "account_no")),
            links(("a", "account_type"), ("b", "account_type")),
        ):
            with pytest.raises(Invalid):
                imports.choose(run_id=run.id, mapping=mapping, mode="insert", by=admin)
        with pytest.raises(Invalid):
            imports.choose(
                run_id=run.id, mapping=links(("a", "name")), mode="upsert", match_field="city", by=admin
            )


def test_without_the_right_to_create_there_is_no_import(crm: TenantRef, admin: Actor) -> None:
    stranger = member(crm, "eve", "member")
    with tenant_scope(crm):
        with pytest.raises((PermissionDenied, NotFound)):
            imports.upload(object_name="crm_account", file_name="a.csv", content=b"name\nX\n", by=stranger)
        run = imports.upload(object_name="crm_account", file_name="a.csv", content=b"name\nX\n", by=admin)
        with pytest.raises(NotFound):
            queries.sample(run.id, by=stranger)


def test_jobs_are_registered() -> None:
    assert {"objects.import_check", "objects.import_run", "objects.import_undo"} <= set(queue.tasks)


def test_guessing_takes_each_field_once(crm: TenantRef, admin: Actor) -> None:
    from apps.objects.catalog import catalog
    from apps.permissions.access import access_for

    with tenant_scope(crm):
        obj = catalog().object("crm_account")
        found = guess(
            ["Company Name", "NAME", "Ort", "nonsense"], obj, access_for(admin).editable(obj), catalog()
        )
    assert [(item.column, item.field) for item in found][:1] == [("Company Name", "name")]
    assert len({item.field for item in found}) == len(found)


def test_northwind_is_mapped_without_a_hand(crm: TenantRef, admin: Actor) -> None:
    from apps.objects.catalog import catalog
    from apps.permissions.access import access_for

    header = source.read("customers.csv", (NORTHWIND / "customers.csv").read_bytes()).header
    expected = {
        "crm_account": {"customer_id": "customer_code", "company_name": "name", "address": "street"},
        "crm_contact": {"customer_id": "account", "contact_name": "full_name", "contact_title": "job_title"},
        "crm_lead": {"company_name": "company", "contact_name": "name"},
    }
    with tenant_scope(crm):
        for name, pairs in expected.items():
            obj = catalog().object(name)
            found = guess(header, obj, access_for(admin).editable(obj), catalog())
            assert {item.column: item.field for item in found}.items() >= pairs.items(), name
