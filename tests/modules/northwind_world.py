"""Northwind installed in a tenant of its own, and the same rows in plain tables for textbook SQL."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from psycopg import sql

from apps.core.actor import SYSTEM, Actor
from apps.core.db.owner import owner_session
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from apps.identity.services import members
from apps.identity.services.keys import create_key
from apps.modules import catalogue, install
from apps.modules.source import load
from apps.permissions import services as permissions
from apps.tenants.provision import Order, create_tenant
from tests.api.conftest import Caller, caller

# The tables of the original, typed: the CSV files name a row they refer to as `@<table>-<key>`.
VIEWS = (
    """CREATE TEMP VIEW orders AS SELECT order_no, substr(customer, 11) AS customer_id, substr(employee, 11) AS employee_id,
    order_date::date, required_date::date, shipped_date::date, substr(shipper, 10) AS shipper_id, freight::numeric,
    ship_country FROM "order" """,
    """CREATE TEMP VIEW lines AS SELECT substr("order", 8) AS order_no, substr(product, 10) AS product_id,
    unit_price::numeric, quantity::numeric, discount::numeric,
    unit_price::numeric * quantity::numeric * (1 - discount::numeric) AS amount FROM order_line""",
    """CREATE TEMP VIEW products AS SELECT product_id, name, substr(supplier, 11) AS supplier_id,
    substr(category, 11) AS category_id, unit_price::numeric, units_in_stock::int, units_on_order::int,
    reorder_level::int, discontinued = '1' AS discontinued FROM product""",
    """CREATE TEMP VIEW employees AS SELECT employee_id, last_name, substr(reports_to, 11) AS reports_to FROM employee""",
    """CREATE TEMP VIEW territories AS SELECT territory_id, name, substr(region, 9) AS region_id FROM territory""",
)
FOLDER = Path(settings.BASE_DIR) / "modules" / "northwind"
PASSWORD = "correct horse battery"


@dataclass
class Northwind:
    """The tenant, a caller of its API with the reader's set, and a connection to the plain tables."""

    ref: TenantRef
    reader: Caller
    actor: Actor
    plain: psycopg.Connection[Any]
    loaded: int

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        """Return the rows of textbook SQL over the plain tables."""
        return self.plain.execute(text).fetchall()

    def query(self, name: str, **body: Any) -> list[dict[str, Any]]:
        """Return the records, or groups, of a query over REST."""
        answer = self.reader.post(f"/api/v1/data/northwind_{name}/query", {"limit": 1000} | body)
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["records"]
        return found

    def analyse(self, name: str, **body: Any) -> list[dict[str, Any]]:
        """Return the rows of a question to the analytics door."""
        answer = self.reader.post("/api/v1/analytics/query", {"cube": f"northwind_{name}", **body})
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["data"]["rows"]
        return found

    def names(self, name: str, field: str = "name") -> dict[str, str]:
        """Return the names behind ids."""
        return {row["id"]: row[field] for row in self.query(name, fields=["id", field])}

    def graph(self, name: str, fields: str, where: str = "", order: str = "") -> list[dict[str, Any]]:
        """Return all nodes of a list over GraphQL, page by page."""
        nodes: list[dict[str, Any]] = []
        after = ""
        while True:
            given = [f'after: "{after}"', "first: 500"]
            given += [f"where: {{{where}}}"] if where else []
            given += [f"orderBy: [{{{order}}}]"] if order else []
            text = f"{{ northwind_{name}_list({', '.join(given)}) {{ nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
            body = self.reader.post("/api/v1/graphql", {"query": text}).json()
            assert "errors" not in body, body
            page = body["data"][f"northwind_{name}_list"]
            nodes += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return nodes


def made(superuser_url: str) -> Northwind:
    """Install the module with its rows through services only."""
    with platform_scope("northwind"):
        catalogue.register(source=load(FOLDER), by=SYSTEM)
    wanted = Order(slug="northwind", name="Northwind", time_zone="UTC", currency="USD")
    ref = create_tenant(by=SYSTEM, wanted=wanted, default_host="northwind.localhost").ref
    with owner_session(), tenant_scope(ref):
        install.install("northwind", by=SYSTEM)
    with tenant_scope(ref):
        loaded = install.add_demo("northwind", by=SYSTEM)
        person = members.create_member(
            email="rita@northwind.test", name="Rita", password=PASSWORD, role="member", by=SYSTEM
        )
        permissions.assign(user_id=person.user_id, name="northwind_reader", by=SYSTEM)
    actor = Actor("member", str(person.user_id), "Rita", tenant_id=ref.id, user_id=person.user_id)
    with tenant_scope(ref):
        key = create_key(name="northwind", by=actor, scopes=("*",)).key
    return Northwind(ref, caller("northwind", key), actor, plain_tables(superuser_url), loaded)


def plain_tables(url: str) -> psycopg.Connection[Any]:
    """Return a connection whose temporary tables hold the module's CSV files as they are, every column text."""
    connection = psycopg.connect(url, autocommit=True)
    for path in sorted((FOLDER / "data").glob("*.csv")):
        table = sql.Identifier(path.stem.removeprefix("northwind_"))
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        columns = sql.SQL(", ").join([sql.SQL("{} text").format(sql.Identifier(name)) for name in header])
        connection.execute(sql.SQL("CREATE TEMP TABLE {} ({})").format(table, columns))
        with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
            for row in rows:
                copy.write_row([value or None for value in row])
    for view in VIEWS:
        connection.execute(view)
    return connection
