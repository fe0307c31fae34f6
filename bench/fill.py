"""The databases of a run: AI-BOS with one tenant, and the peers' tables, each with the same rows."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg

from apps.cli.launch.roles import drop, prepare
from bench.servers import in_database

ROOT = Path(__file__).resolve().parent.parent
ROWS = """
SELECT {id}, 'Lead ' || n, 'Company ' || n % 977, 'lead' || n || '@example.com', '+49 30 ' || n,
  (ARRAY['fresh','open','won','lost'])[1 + n % 4], 'web', 'Berlin', 'Germany', (n * 7919) % 1000,
  (n * 31) % 100000 + 0.5, 'Note ' || n, {owner}, now() - n * interval '1 minute', now() - n * interval '1 minute'
FROM generate_series(1, {rows}) n
"""
COLUMNS = (
    "id, name, company, email, phone, status, source, city, country, score, expected_value, notes, owner_id,"
    " created_at, updated_at"
)


def manage(env: dict[str, str], *words: str, code: str = "") -> str:
    command = [sys.executable, "manage.py", *words] if words else [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


SETUP = """
import django; django.setup()
from pathlib import Path
from apps.core.actor import SYSTEM, Actor
from apps.core.scope import platform_scope
from apps.identity.models import User
from apps.objects.parse import load_yaml
from apps.objects.publish import publish_objects
from apps.core.scope import tenant_scope
from apps.core.db.owner import owner_session
from apps.tenants.models import Plan
from apps.tenants.provision import Order, create_tenant
with platform_scope("bench"):
    Plan.objects.update(quotas={{}})  # the bench measures the product, not the plan
t = create_tenant(by=SYSTEM, wanted=Order(slug="bench", name="Bench", seed=dict(owner_email="owner@bench.test",
    owner_name="Ann", owner_password="correct horse battery")), default_host="bench.localhost")
obj = load_yaml(Path("bench/lead.object.yml").read_text(), "bench/lead.object.yml")
{publish}
with platform_scope("bench"):
    print(User.objects.get(email="owner@bench.test").id)
"""
PUBLISH = """
with owner_session(), tenant_scope(t.ref):
    publish_objects([obj], by=SYSTEM)
"""


def aibos(admin: str, rows: int) -> dict[str, str]:
    """Make the platform's database with `rows` leads in one tenant; return the server's environment."""
    drop(admin, database="aibos_bench")
    app, owner = prepare(admin, database="aibos_bench")
    env = {
        "DATABASE_URL": app,
        "DATABASE_OWNER_URL": owner,
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
    }
    env |= {"SECRET_KEY": "bench" * 12, "LOG_LEVEL": "WARNING", "PLATFORM_HOSTS": "localhost,127.0.0.1"}
    env |= {"RATE_LIMIT_USER": "100000000/m", "RATE_LIMIT_IP": "100000000/m"}
    manage(env, "migrate_all")
    user = manage(env, code=SETUP.format(publish=PUBLISH)).strip().splitlines()[-1]
    with psycopg.connect(in_database(admin, "aibos_bench"), autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO t_bench.obj_bench_lead ({COLUMNS}, created_by, updated_by, version)"
            f" SELECT r.*, '{user}', '{user}', 1 FROM ("
            + ROWS.format(id="gen_random_uuid()", owner=f"'{user}'::uuid", rows=rows)
            + ") r"
        )
        connection.execute("VACUUM ANALYZE")
    return env


def peers(admin: str, rows: int) -> dict[str, str]:
    """Make the peers' database; return their environment, BENCH_TOKEN_<PEER> included."""
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS aibos_bench_peers WITH (FORCE)")
        connection.execute("CREATE DATABASE aibos_bench_peers")
    env = {"BENCH_PEERS_URL": in_database(admin, "aibos_bench_peers")}
    env |= {"DJANGO_SETTINGS_MODULE": "bench.peers.settings"}
    fill = f"""
import django; django.setup()
from django.core.management import call_command
from django.db import connection
import os
if os.environ["PEER"] == "tenants":
    call_command("migrate_schemas", verbosity=0, run_syncdb=True, schema_name="public")
    from bench.peers.customers.models import Customer, Domain
    c = Customer(schema_name="bt"); c.auto_create_schema = False; c.save()
    Domain.objects.create(domain="bench.localhost", tenant=c, is_primary=True)
    connection.cursor().execute("CREATE SCHEMA bt")
    call_command("migrate_schemas", verbosity=0, run_syncdb=True, schema_name="bt")
    connection.set_schema("bt")
else:
    call_command("migrate", verbosity=0, run_syncdb=True)
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
u, _ = User.objects.get_or_create(username="ann")
print(Token.objects.get_or_create(user=u)[0].key)
connection.cursor().execute('''INSERT INTO bench_lead ({COLUMNS}) {ROWS.format(id="gen_random_uuid()", owner="NULL::uuid", rows=rows)}''')
"""
    for peer in ("drf", "tenants"):
        env[f"BENCH_TOKEN_{peer.upper()}"] = manage(env | {"PEER": peer}, code=fill).strip().splitlines()[-1]
    with psycopg.connect(env["BENCH_PEERS_URL"], autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return env
