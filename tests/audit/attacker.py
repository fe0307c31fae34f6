"""A database superuser with the triggers off, and what they may do to one tenant's ledger."""

from typing import Any

import psycopg
from psycopg import sql

from apps.audit.chain import GENESIS, link, prefix_of
from apps.audit.merkle.hashing import fold, leaf_hash
from apps.core.scope import TenantRef

PUBLIC = ("audit_head", "audit_tree", "audit_tile", "audit_checkpoint")


class Attacker:
    """Statements on a tenant's ledger as superuser; each call commits."""

    def __init__(self, url: str, tenant: TenantRef) -> None:
        self._url = url
        self.tenant = tenant
        self.table = sql.Identifier(tenant.schema, "audit_entry")
        self.last: int = self.all("SELECT max(seq) FROM {}")[0][0]

    def run(self, statement: str, *params: Any) -> int:
        with psycopg.connect(self._url) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            return connection.execute(sql.SQL(statement).format(self.table), params).rowcount

    def all(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(sql.SQL(statement).format(self.table), params).fetchall()

    def shift(self, first: int, by: int) -> None:
        """Renumber everything from `first` on."""
        self.run("UPDATE {} SET seq = -seq WHERE seq >= %s", first)
        self.run("UPDATE {} SET seq = -seq + %s WHERE seq < 0", by)

    def head(self, seq: int, digest: bytes) -> None:
        self.run(
            "UPDATE public.audit_head SET seq = %s, hash = %s WHERE tenant_id = %s",
            seq,
            digest,
            self.tenant.id,
        )

    def relink(self, start: int = 1) -> bytes:
        """Link everything from `start` on anew over the present bodies, head included; return the last hash."""
        prefix, prev = prefix_of(self.tenant.id), GENESIS
        seq = 0
        for seq, digest, body in self.all("SELECT seq, hash, body FROM {} ORDER BY seq"):
            if seq >= start:
                mine = link(prefix, seq, prev, body)
                self.run("UPDATE {} SET prev = %s, hash = %s WHERE seq = %s", prev, mine, seq)
                prev = mine
            else:
                prev = digest
        self.head(seq, prev)
        return prev

    def replant(self) -> None:
        """Write the tiles anew over the present bodies, as if they had always been these."""
        leaves = [leaf_hash(body) for (body,) in self.all("SELECT body FROM {} ORDER BY seq")]
        self.run("DELETE FROM public.audit_tile WHERE tenant_id = %s", self.tenant.id)
        self.run(
            "INSERT INTO public.audit_tile (tenant_id, level, number, hashes) VALUES (%s, 0, 0, %s)",
            self.tenant.id,
            b"".join(leaves),
        )
        self.run("UPDATE public.audit_tree SET root = %s WHERE tenant_id = %s", fold(leaves), self.tenant.id)

    def forget_signatures(self) -> None:
        """Remove every trace of the tree, so that the product signs what stands there now."""
        for table in ("audit_tile", "audit_checkpoint", "audit_tree"):
            self.run(f"DELETE FROM public.{table} WHERE tenant_id = %s", self.tenant.id)

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of the ledger and of its proofs, as a backup would."""
        kept = {"entry": self.all("SELECT * FROM {}")}
        for table in PUBLIC:
            kept[table] = self.all(f"SELECT * FROM public.{table} WHERE tenant_id = %s", self.tenant.id)
        return kept

    def load(self, kept: dict[str, list[tuple[Any, ...]]]) -> None:
        """Put such rows in the place of what is there."""
        self.run("DELETE FROM {}")
        for table in PUBLIC:
            self.run(f"DELETE FROM public.{table} WHERE tenant_id = %s", self.tenant.id)
        for table, rows in kept.items():
            name = "{}" if table == "entry" else f"public.{table}"
            for row in rows:
                values = [psycopg.types.json.Jsonb(item) if isinstance(item, dict) else item for item in row]
                self.run(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(row))})", *values)
