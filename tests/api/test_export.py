"""Export of records as files."""

import csv
import io
import json

import pytest
from openpyxl import load_workbook

from tests.api.test_data import refused

pytestmark = pytest.mark.usefixtures("api")
DATA = "/api/v1/data"
LEADS = f"{DATA}/api_lead"
ACCOUNTS = f"{DATA}/api_account"


def test_export_as_csv_json_and_xlsx(owner):
    owner.post(LEADS, {"name": "=1+1", "company": "Exported", "amount": 1.5})
    owner.post(LEADS, {"name": "Second", "company": "Exported", "amount": 2})
    wanted = 'filter={"company":"Exported"}&orderby={"amount":"asc"}&select=name,amount'
    answer = owner.get(f"{LEADS}/export", QUERY_STRING=wanted)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="api_lead-')
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))
    assert rows[0] == ["Name", "Amount"]
    assert rows[1][0] == "'=1+1"
    assert len(rows) == 3
    body = json.loads(
        b"".join(owner.get(f"{LEADS}/export", QUERY_STRING=f"{wanted}&format=json").streaming_content)
    )
    assert [record["name"] for record in body] == ["=1+1", "Second"]
    sheet = b"".join(owner.get(f"{LEADS}/export", QUERY_STRING=f"{wanted}&format=xlsx").streaming_content)
    cells = [[cell.value for cell in row] for row in load_workbook(io.BytesIO(sheet)).active.iter_rows()]
    assert cells[1] == ["'=1+1", 1.5]
    one = owner.get(f"{LEADS}/export", QUERY_STRING=f"{wanted}&limit=1&format=json")
    assert len(json.loads(b"".join(one.streaming_content))) == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("format=pdf", "INVALID_QUERY"),
        ("orderby=nonsense", "INVALID_SORT"),
        ("filter=%7B", "INVALID_FILTER"),
        ("limit=0", "INVALID_QUERY"),
        ("limit=99999999999999999999", "INVALID_QUERY"),
        ("other=1", "INVALID_QUERY"),
        ("select=bogus", "INVALID_FIELD"),
    ],
)
def test_an_export_that_cannot_be_meant_is_refused(owner, query, code):
    refused(owner.get(f"{LEADS}/export?{query}"), 400, code)


def test_an_export_is_in_the_ledger(owner):
    b"".join(owner.get(f"{LEADS}/export?limit=1").streaming_content)
    from apps.audit.queries import history
    from apps.core.scope import platform_scope, tenant_scope
    from apps.tenants.queries import tenant_by_slug

    with platform_scope("test"):
        ref = tenant_by_slug("acme").ref
    with tenant_scope(ref):
        assert history("object:api_lead")[0].action == "records.exported"
