"""The floor: one view, a signed token, one prepared statement, JSON built by PostgreSQL, bytes out."""

import hashlib
import hmac
import json
import uuid

import psycopg
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

COLUMNS = "id,name,company,email,phone,status,source,city,country,score,expected_value,notes,owner_id,created_at,updated_at"
GET = f"SELECT row_to_json(r)::text FROM (SELECT {COLUMNS} FROM bench_lead WHERE id = %s) r"
LIST = f"""SELECT coalesce(json_agg(r), '[]')::text FROM (
SELECT {COLUMNS} FROM bench_lead WHERE status = %s ORDER BY score DESC, id LIMIT 25) r"""
CREATE = """INSERT INTO bench_lead (id, name, company, email, phone, status, score, expected_value, created_at, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now(), now()) RETURNING row_to_json(bench_lead)::text"""
UPDATE = "UPDATE bench_lead SET score = %s, updated_at = now() WHERE id = %s RETURNING row_to_json(bench_lead)::text"
TOKEN = hmac.new(settings.SECRET_KEY.encode(), b"user-1", hashlib.sha256).hexdigest()


def run(query: str, params: list) -> bytes:
    connection.ensure_connection()
    return psycopg.Cursor(connection.connection).execute(query, params, prepare=True).fetchone()[0].encode()


def lead(request: HttpRequest, key: str | None = None) -> HttpResponse:
    given = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given, TOKEN):
        return HttpResponse(status=401)
    if request.method == "POST":
        d = json.loads(request.body)
        values = [
            uuid.uuid4(),
            d["name"],
            d["company"],
            d["email"],
            d["phone"],
            d["status"],
            d["score"],
            d["expected_value"],
        ]
        return HttpResponse(run(CREATE, values), content_type="application/json", status=201)
    if request.method == "PATCH":
        return HttpResponse(
            run(UPDATE, [json.loads(request.body)["score"], key]), content_type="application/json"
        )
    body = run(GET, [key]) if key else run(LIST, [request.GET["status"]])
    return HttpResponse(body, content_type="application/json")


urlpatterns = [path("leads", lead), path("leads/<str:key>", lead)]
