"""Twenty questions to Northwind: textbook SQL, and the same over REST (query and analytics), GraphQL and a report page.

GraphQL has no groups: where a question groups, it gives the records and the client adds up. A report groups; lists
and trees are no reports.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.modules.northwind_world import Northwind

Rows = Iterable[tuple[Any, ...]]
Ask = Callable[[Northwind], Rows]
IN_1997 = {"order_date": {"$between": ["1997-01-01", "1997-12-31"]}}
GRAPH_1997 = 'order_date: {between: ["1997-01-01", "1997-12-31"]}'
LATE = {"shipped_date": {"$gt": {"$field": "required_date"}}}
LOW = {"discontinued": False, "units_in_stock": {"$lte": {"$field": "reorder_level"}}}
COUNT = {"function": "count", "alias": "n"}
UNDER_FULLER = """WITH RECURSIVE below AS (SELECT employee_id FROM employees WHERE reports_to = '2'
    UNION SELECT e.employee_id FROM employees e JOIN below b ON e.reports_to = b.employee_id)
    SELECT last_name FROM employees JOIN below USING (employee_id)"""


@dataclass(frozen=True)
class Question:
    """`ordered` compares the order too; `report` is the address of a report, whose first `top` rows answer."""

    words: str
    sql: str
    rest: Ask
    graph: Ask
    report: str = ""
    ordered: bool = False
    top: int | None = None


def total(field: str) -> dict[str, Any]:
    """The sum of a field, as `s`."""
    return {"function": "sum", "field": field, "alias": "s"}


def folded(rows: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Add up figures by key, the greatest first."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for key, value in rows:
        sums[key] += Decimal(str(value))
    return sorted(sums.items(), key=lambda item: -item[1])


def grouped(world: Northwind, name: str, by: str, figure: dict[str, Any], **more: Any) -> Rows:
    """Return (name behind the reference `by`, figure) of each group."""
    rows = world.query(name, groupBy=[by], aggregations=[figure], **more)
    names = world.names(by)
    return [(names[row[by]], row[figure["alias"]]) for row in rows]


def quarter(day: str) -> str:
    """Return the quarter of a day as the query's buckets write it."""
    return f"{day[:4]}-Q{(int(day[5:7]) + 2) // 3}"


def bucket(world: Northwind, unit: str, **more: Any) -> Rows:
    """Return (bucket, revenue) of the orders by their date, over the analytics door."""
    time = {"dimension": "order_date", "granularity": unit} | more
    rows = world.analyse("order", measures=["sum_total"], timeDimensions=[time])
    return [(next(v for k, v in row.items() if k != "sum_total"), row["sum_total"]) for row in rows]


QUESTIONS = (
    Question(
        "Who were the ten best customers of 1997?",
        """SELECT c.name, sum(l.amount) FROM lines l JOIN orders o USING (order_no) JOIN customer c USING (customer_id)
        WHERE o.order_date BETWEEN '1997-01-01' AND '1997-12-31' GROUP BY 1 ORDER BY 2 DESC LIMIT 10""",
        lambda w: grouped(w, "order", "customer", total("total"), where=IN_1997, orderBy=["-s"], limit=10),
        lambda w: folded((n["customer"]["name"], n["total"]) for n in w.graph("order", "total customer { name }", GRAPH_1997))[:10],
        "object=northwind_order&g=customer&m=sum:total&order=value&f=0.order_date.between.1997-01-01..1997-12-31",
        ordered=True,
        top=10,
    ),
    Question(
        "What was the revenue of each year?",
        "SELECT to_char(o.order_date, 'YYYY'), sum(l.amount) FROM lines l JOIN orders o USING (order_no) GROUP BY 1",
        lambda w: bucket(w, "year"),
        lambda w: folded((n["order_date"][:4], n["total"]) for n in w.graph("order", "order_date total")),
        "object=northwind_order&g=order_date:year&m=sum:total&chart=column",
    ),
    Question(
        "What was the revenue of each month of 1997?",
        """SELECT to_char(o.order_date, 'YYYY-MM'), sum(l.amount) FROM lines l JOIN orders o USING (order_no)
        WHERE o.order_date >= '1997-01-01' AND o.order_date < '1998-01-01' GROUP BY 1""",
        lambda w: bucket(w, "month", dateRange=["1997-01-01", "1997-12-31"]),
        lambda w: folded((n["order_date"][:7], n["total"]) for n in w.graph("order", "order_date total", GRAPH_1997)),
    ),
    Question(
        "How many orders were there in each quarter?",
        """SELECT to_char(order_date, 'YYYY-"Q"Q'), count(*) FROM orders GROUP BY 1""",
        lambda w: [(r["q"], r["n"]) for r in w.query("order", groupBy=[{"field": "order_date", "dateGranularity": "quarter", "alias": "q"}], aggregations=[COUNT])],
        lambda w: folded((quarter(n["order_date"]), 1) for n in w.graph("order", "order_date")),
    ),
    Question(
        "How many shipments came late, by carrier?",
        """SELECT s.name, count(*) FROM orders o JOIN shipper s USING (shipper_id)
        WHERE o.shipped_date > o.required_date GROUP BY 1""",
        lambda w: grouped(w, "order", "shipper", COUNT, where=LATE),
        lambda w: [(n["name"], n["late"]) for n in w.graph("shipper", "name late", "late: {gt: 0}")],
        "object=northwind_shipper&g=name&m=sum:late&f=0.late.gt.0",
    ),
    Question(
        "Which products are to be reordered?",
        "SELECT name, units_in_stock FROM products WHERE NOT discontinued AND units_in_stock <= reorder_level",
        lambda w: [(r["name"], r["units_in_stock"]) for r in w.query("product", where=LOW)],
        lambda w: [
            (n["name"], n["units_in_stock"])
            for n in w.graph("product", "name units_in_stock reorder_level", "discontinued: {eq: false}")
            if n["units_in_stock"] <= n["reorder_level"]
        ],
    ),
    Question(
        "What share of the revenue has each category?",
        """SELECT c.name, sum(l.amount) / (SELECT sum(amount) FROM lines) FROM lines l JOIN products p USING (product_id)
        JOIN category c USING (category_id) GROUP BY 1""",
        lambda w: shares(grouped(w, "product", "category", total("revenue"))),
        lambda w: shares((n["name"], n["revenue"]) for n in w.graph("category", "name revenue")),
    ),
    Question(
        "What is the revenue of each category?",
        "SELECT c.name, sum(l.amount) FROM lines l JOIN products p USING (product_id) JOIN category c USING (category_id) GROUP BY 1",
        lambda w: [(r["name"], r["revenue"]) for r in w.query("category", fields=["name", "revenue"])],
        lambda w: folded((n["category"]["name"], n["revenue"]) for n in w.graph("product", "revenue category { name }")),
        "object=northwind_product&g=category&m=sum:revenue&chart=donut",
    ),
    Question(
        "Which nine products sold most units?",
        "SELECT p.name, sum(l.quantity) FROM lines l JOIN products p USING (product_id) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 9",
        lambda w: [(r["name"], r["units_sold"]) for r in w.query("product", orderBy=["-units_sold", "name"], limit=9)],
        lambda w: [(n["name"], n["units_sold"]) for n in w.graph("product", "name units_sold", "", "units_sold: DESC")][:9],
        "object=northwind_product&g=name&m=sum:units_sold&order=value",
        ordered=True,
        top=9,
    ),
    Question(
        "Which orders are not shipped, and what are they worth?",
        "SELECT order_no, sum(l.amount) FROM orders JOIN lines l USING (order_no) WHERE shipped_date IS NULL GROUP BY 1",
        lambda w: [(r["order_no"], r["total"]) for r in w.query("order", where={"shipped_date": None})],
        lambda w: [(n["order_no"], n["total"]) for n in w.graph("order", "order_no total", "shipped_date: {null: true}")],
    ),
    Question(
        "Which customers never ordered?",
        "SELECT name FROM customer WHERE customer_id NOT IN (SELECT customer_id FROM orders)",
        lambda w: [(r["name"],) for r in w.query("customer", where={"orders": 0})],
        lambda w: [(n["name"],) for n in w.graph("customer", "name", "orders: {eq: 0}")],
    ),
    Question(
        "To which countries with at least 50 orders is freight dearest on average?",
        "SELECT ship_country, avg(freight) FROM orders GROUP BY 1 HAVING count(*) >= 50 ORDER BY 2 DESC",
        lambda w: [
            (r["ship_country"], r["a"])
            for r in w.query("order", groupBy=["ship_country"], aggregations=[COUNT, {"function": "avg", "field": "freight", "alias": "a"}], having={"n": {"$gte": 50}}, orderBy=["-a"])
        ],
        lambda w: averages(w.graph("order", "ship_country freight"), 50),
        ordered=True,
    ),
    Question(
        "What did each employee sell?",
        "SELECT e.last_name, sum(l.amount) FROM lines l JOIN orders USING (order_no) JOIN employees e USING (employee_id) GROUP BY 1",
        lambda w: [(r["last_name"], r["revenue"]) for r in w.query("employee", fields=["last_name", "revenue"])],
        lambda w: [(n["last_name"], n["revenue"]) for n in w.graph("employee", "last_name revenue")],
        "object=northwind_order&g=employee&m=sum:total",
    ),
    Question(
        "Who works below Fuller, at any distance?",
        UNDER_FULLER,
        lambda w: [(r["last_name"],) for r in w.query("employee", where={"reports_to": {"$under": fuller(w)}})],
        lambda w: below(w.graph("employee", "last_name reports_to { last_name }"), "Fuller"),
    ),
    Question(
        "How many territories has each region?",
        "SELECT r.name, count(*) FROM territories t JOIN region r USING (region_id) GROUP BY 1",
        lambda w: grouped(w, "territory", "region", COUNT),
        lambda w: [(n["name"], n["territories"]) for n in w.graph("region", "name territories")],
        "object=northwind_territory&g=region&m=count",
    ),
    Question(
        "Which employees look after more than five territories?",
        """SELECT e.last_name, count(*) FROM employee_territory t JOIN employees e ON t.employee = '@employee-' || e.employee_id
        GROUP BY 1 HAVING count(*) > 5""",
        lambda w: [(r["last_name"], r["territories"]) for r in w.query("employee", where={"territories": {"$gt": 5}})],
        lambda w: [(n["last_name"], n["territories"]) for n in w.graph("employee", "last_name territories", "territories: {gt: 5}")],
    ),
    Question(
        "Which countries have more than five customers?",
        "SELECT country, count(*) FROM customer GROUP BY 1 HAVING count(*) > 5",
        lambda w: [(r["country"], r["n"]) for r in w.query("customer", groupBy=["country"], aggregations=[COUNT], having={"n": {"$gt": 5}})],
        lambda w: [item for item in folded((n["country"], 1) for n in w.graph("customer", "country")) if item[1] > 5],
    ),
    Question(
        "What was sold at which discount?",
        "SELECT discount, count(*), sum(amount) FROM lines GROUP BY 1",
        lambda w: [(r["discount"], r["n"], r["s"]) for r in w.query("order_line", groupBy=["discount"], aggregations=[COUNT, total("amount")])],
        lambda w: discounts(w.graph("order_line", "discount amount")),
    ),
    Question(
        "What is the largest order, and whose?",
        """SELECT o.order_no, c.name, sum(l.amount) FROM lines l JOIN orders o USING (order_no) JOIN customer c USING (customer_id)
        GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1""",
        lambda w: [(r["order_no"], r["customer"]["name"], r["total"]) for r in w.query("order", orderBy=["-total"], limit=1, expand={"customer": {"fields": ["name"]}})],
        lambda w: [(n["order_no"], n["customer"]["name"], n["total"]) for n in w.graph("order", "order_no total customer { name }", "total: {gt: 16000}", "total: DESC")][:1],
    ),
    Question(
        "What stands on order 10248: product, category, customer, country of the supplier?",
        """SELECT p.name, g.name, c.name, s.country FROM lines l JOIN orders o USING (order_no) JOIN customer c USING (customer_id)
        JOIN products p USING (product_id) JOIN category g USING (category_id) JOIN supplier s USING (supplier_id)
        WHERE order_no = '10248'""",
        lambda w: [
            (r["product"]["name"], r["product"]["category"]["name"], r["order"]["customer"]["name"], r["product"]["supplier"]["country"])
            for r in w.query("order_line", where={"order": first_order(w)}, expand={"order": {"expand": {"customer": {}}}, "product": {"expand": {"category": {}, "supplier": {}}}})
        ],
        lambda w: [
            (n["product"]["name"], n["product"]["category"]["name"], n["order"]["customer"]["name"], n["product"]["supplier"]["country"])
            for n in w.graph("order_line", "order { customer { name } } product { name category { name } supplier { country } }", f'order: {{eq: "{first_order(w)}"}}')
        ],
    ),
)  # fmt: skip


def shares(rows: Rows) -> Rows:
    """Turn (name, figure) into (name, share of all)."""
    found = [(name, Decimal(str(value))) for name, value in rows]
    whole = sum(value for _name, value in found)
    return [(name, value / whole) for name, value in found]


def averages(nodes: list[dict[str, Any]], least: int) -> Rows:
    """Average the freight by country, of countries with enough orders."""
    by: dict[str, list[Decimal]] = defaultdict(list)
    for node in nodes:
        by[node["ship_country"]].append(Decimal(str(node["freight"])))
    found = [(name, sum(values) / len(values)) for name, values in by.items() if len(values) >= least]
    return sorted(found, key=lambda item: -item[1])


def discounts(nodes: list[dict[str, Any]]) -> Rows:
    """Count and add up lines by discount."""
    by: dict[Any, list[Decimal]] = defaultdict(list)
    for node in nodes:
        by[node["discount"]].append(Decimal(str(node["amount"])))
    return [(key, len(values), sum(values)) for key, values in by.items()]


def below(nodes: list[dict[str, Any]], top: str) -> Rows:
    """Walk a tree of names from the top down."""
    found: list[tuple[str]] = []
    queue = [top]
    while queue:
        above = queue.pop()
        children = [
            n["last_name"] for n in nodes if n["reports_to"] and n["reports_to"]["last_name"] == above
        ]
        found += [(name,) for name in children]
        queue += children
    return found


def fuller(world: Northwind) -> str:
    """The id of Andrew Fuller."""
    return str(world.query("employee", where={"last_name": "Fuller"})[0]["id"])


def first_order(world: Northwind) -> str:
    """The id of order 10248."""
    return str(world.query("order", where={"order_no": "10248"})[0]["id"])
