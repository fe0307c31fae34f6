"""Which column goes into which field: guessed from names and labels, then chosen by people."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from apps.core.errors import FieldError, Invalid
from apps.objects.catalog import Catalog
from apps.objects.definitions import FieldDef, ObjectDef
from apps.objects.kinds import kind_of
from apps.objects.records.accept import writable

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "company": ("companyname", "organisation", "organization"),
    "customer_code": ("customerid", "customerno", "customernumber", "clientid"),
    "account": ("customerid", "customer", "client"),
    "name": ("companyname", "fullname", "contactname", "subject", "title"),
    "full_name": ("contactname", "contact", "person"),
    "job_title": ("contacttitle", "title", "position"),
    "street": ("address", "streetaddress", "addressline1"),
    "phone": ("telephone", "tel", "phonenumber", "homephone"),
    "email": ("emailaddress", "mail"),
    "postal_code": ("zip", "zipcode", "postcode"),
    "website": ("url", "homepage", "web"),
    "description": ("notes", "note", "comment", "remarks"),
}

JOINED = frozenset({"text", "textarea"})  # several columns into one of these are joined by a space


@dataclass(frozen=True)
class Link:
    """One column's way into a record. `match` names the field of the referenced object that the cell holds."""

    column: str
    field: str
    match: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the stored form."""
        return asdict(self)


def plain(text: str) -> str:
    """Return letters and digits only, without accents, in small letters."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]", "", folded)


def importable(obj: ObjectDef, editable: Iterable[str]) -> list[FieldDef]:
    """Return the fields that a file may fill."""
    allowed = set(editable)
    return [found for found in obj.all_fields.values() if found.name in allowed and writable(obj, found)]


def guess(header: Iterable[str], obj: ObjectDef, editable: Iterable[str], known: Catalog) -> list[Link]:
    """Return the links that names, labels (in every language) and usual synonyms suggest, each field once."""
    names: dict[str, FieldDef] = {}
    fields = importable(obj, editable)
    for found in fields:
        words = [found.name, found.name.removesuffix("_id"), found.label]
        words += [obj.field_label(found.name, locale) for locale in obj.translations]
        for word in filter(None, map(plain, words)):
            names.setdefault(word, found)
    # A field's own words go before another one's synonyms; of two synonyms the one listed first wins.
    for name, words_for in SYNONYMS.items():
        for target in (found for found in fields if found.name == name):
            for word in words_for:
                names.setdefault(word, target)
    links, taken = [], set()
    for column in header:
        guessed = names.get(plain(column))
        if guessed is not None and guessed.name not in taken:
            taken.add(guessed.name)
            links.append(Link(column, guessed.name, natural_key(guessed, known)))
    return links


def natural_key(found: FieldDef, known: Catalog) -> str | None:
    """Return the field by which cells most likely name a record of the referenced object."""
    if found.type == "user":
        return "email"
    other = known.find(found.reference or "")
    if other is None:
        return None
    external = [field.name for field in other.fields.values() if field.external_id]
    return external[0] if external else other.name_field


def check_links(
    links: list[Link], header: list[str], obj: ObjectDef, editable: Iterable[str], known: Catalog
) -> None:
    """Refuse links that name no column, no field, a field twice or no key of the referenced object."""
    allowed = {found.name: found for found in importable(obj, editable)}
    faults, taken = [], set()
    for link in links:
        found = allowed.get(link.field)
        if link.column not in header:
            faults.append(FieldError(link.field, "invalid_value", f"The file has no column {link.column!r}."))
        if found is None:
            faults.append(FieldError(link.field, "unknown_field", f"{link.field!r} cannot be imported."))
            continue
        if link.field in taken and found.type not in JOINED:
            faults.append(FieldError(link.field, "invalid_value", f"Two columns go into {link.field!r}."))
        taken.add(link.field)
        faults += _match_faults(link, found, known)
    if not links:
        faults.append(FieldError("mapping", "required", "Choose a field for at least one column."))
    if faults:
        raise Invalid("The columns cannot be imported like this.", faults)


def _match_faults(link: Link, found: FieldDef, known: Catalog) -> list[FieldError]:
    if link.match in (None, "", "id"):
        return []
    if found.type == "user":
        wrong = link.match != "email"
    else:
        other = known.find(found.reference or "")
        target = other.all_fields.get(link.match or "") if other else None
        wrong = target is None or "$in" not in kind_of(target).operators
    return (
        [FieldError(link.field, "invalid_value", f"{link.match!r} names no record there.")] if wrong else []
    )
