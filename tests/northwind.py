"""The Northwind sample data: the real files where they lie beside the repository, else others of the same shape.

The repository carries no copy. The stand-ins have the same columns and numbers of rows, the rows that tests name,
and invented ones with accents, commas, quotes and empty cells between them.
"""

import csv
import datetime as dt
import tempfile
from functools import cache
from pathlib import Path

from tests.conftest import SHARED

REAL = SHARED / "data" / "northwind"
CUSTOMER = (
    *("customer_id", "company_name", "contact_name", "contact_title", "address", "city"),
    *("region", "postal_code", "country", "phone", "fax"),
)
ORDER = (
    *("order_id", "customer_id", "employee_id", "order_date", "required_date", "shipped_date", "ship_via"),
    *("freight", "ship_name", "ship_address", "ship_city", "ship_region", "ship_postal_code", "ship_country"),
)
EMPLOYEE = (
    *("employee_id", "last_name", "first_name", "title", "title_of_courtesy", "birth_date", "hire_date"),
    *("address", "city", "region", "postal_code", "country", "home_phone", "extension", "notes"),
    *("reports_to", "photo_path"),
)
NAMED = {
    0: ("ALFKI", "Alfreds Futterkiste", "Berlin", "Germany"),
    1: ("ANATR", "Ana Trujillo Emparedados y helados", "México D.F.", "Mexico"),
    90: ("WOLZA", "Wolski  Zajazd", "Warszawa", "Poland"),
}
CITIES = (("Århus", "Denmark"), ("São Paulo", "Brazil"), ("Köln", "Germany"), ("Genève", "Switzerland"))
CUSTOMERS, ORDERS, EMPLOYEES, OF_ANATR = 91, 830, 9, 4

_made = tempfile.TemporaryDirectory(prefix="aibos-northwind-")  # gone with the process


@cache
def folder() -> Path:
    """Return the folder with customers.csv, orders.csv and employees.csv."""
    if REAL.is_dir():
        return REAL
    made = Path(_made.name)
    keys = [_key(number) for number in range(CUSTOMERS)]
    _write(made / "customers.csv", CUSTOMER, [_customer(number) for number in range(CUSTOMERS)])
    others = [key for key in keys if key != "ANATR"]
    buyers = ["ANATR"] * OF_ANATR + [others[number % len(others)] for number in range(ORDERS - OF_ANATR)]
    _write(made / "orders.csv", ORDER, [_order(number, key) for number, key in enumerate(buyers)])
    _write(made / "employees.csv", EMPLOYEE, [_employee(number) for number in range(EMPLOYEES)])
    return made


def _key(number: int) -> str:
    return NAMED[number][0] if number in NAMED else f"Q{number:04}"


def _customer(number: int) -> list[object]:
    city, country = CITIES[number % len(CITIES)]
    invented = (_key(number), f'Comércio "{number}", Søn & Cie', city, country)
    key, name, city, country = NAMED.get(number, invented)
    person, street = f"Zoë Müller-{number}", f"Rue d'Été {number}, 2º"
    return [key, name, person, "Owner", street, city, "", f"0{number:04}", country, f"030-{number:07}", ""]


def _order(number: int, customer: str) -> list[object]:
    day = dt.date(1996, 7, 4) + dt.timedelta(days=number)
    freight = "32.38" if number == 0 else f"{number % 97}.{number % 89:02}"
    due, sent = day + dt.timedelta(days=28), "" if number % 9 == 8 else day + dt.timedelta(days=12)
    place = ["Ship", "Avda. de la Constitución 1", "Reims", "", "51100", "France"]
    return [10248 + number, customer, number % EMPLOYEES + 1, day, due, sent, number % 3 + 1, freight, *place]


def _employee(number: int) -> list[object]:
    last, first = ("Davolio", "Nancy") if number == 0 else (f"Ångström{number}", "Åsa")
    born, hired = dt.date(1948 + number, 12, 8), dt.date(1992, 5, 1 + number)
    place = ["507 - 20th Ave. E.\nApt. 2A", "Seattle", "WA", "98122", "USA", "(206) 555-9857", "5467"]
    chief = "" if number == 1 else 2
    row = [number + 1, last, first, "Sales Representative", "Ms.", born, hired, *place]
    return [*row, 'Says "yes", often.', chief, "http://example.test/photo.bmp"]


def _write(file: Path, header: tuple[str, ...], rows: list[list[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)
