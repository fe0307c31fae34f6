"""What keeps the ledger append-only inside the database: grants, triggers and the platform ledger's wall.

A deterrent, and the first thing an intruder meets; the proof is the chain.
"""

APPEND_ONLY = """
CREATE OR REPLACE FUNCTION public.audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The ledger is append-only: % on %.% is refused.', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
"""

# Retention removes a beginning: the owner's login says up to where, for one transaction. The application's login has
# no right to delete, whatever it says.
PRUNABLE = """
CREATE OR REPLACE FUNCTION public.audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND TG_LEVEL = 'ROW'
     AND OLD.seq <= coalesce(nullif(current_setting('audit.prune_until', true), ''), '0')::bigint THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'The ledger is append-only: % on %.% is refused.', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
"""

# Run in each schema that holds a ledger, with the search path set to it; running it again changes nothing.
SEAL = """
CREATE OR REPLACE TRIGGER audit_entry_rows BEFORE UPDATE OR DELETE ON audit_entry
  FOR EACH ROW EXECUTE FUNCTION public.audit_append_only();
CREATE OR REPLACE TRIGGER audit_entry_table BEFORE TRUNCATE ON audit_entry
  FOR EACH STATEMENT EXECUTE FUNCTION public.audit_append_only();
DO $$
DECLARE grantee regrole;
BEGIN
  FOR grantee IN
    SELECT DISTINCT a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'audit_entry'::regclass AND a.grantee NOT IN (c.relowner, 0)
  LOOP
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON audit_entry FROM %s', grantee);
  END LOOP;
END $$;
"""

# What waits may be linked (deleted) but not edited; the platform's own entries show in its scope alone.
SHARED = """
DO $$
DECLARE grantee regrole;
BEGIN
  FOR grantee IN
    SELECT DISTINCT a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'public.audit_pending'::regclass AND a.grantee NOT IN (c.relowner, 0)
  LOOP
    EXECUTE format('REVOKE UPDATE, TRUNCATE, REFERENCES, TRIGGER ON public.audit_pending FROM %s', grantee);
  END LOOP;
END $$;
ALTER TABLE public.audit_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_entry FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant_wall ON public.audit_entry;
CREATE POLICY tenant_wall ON public.audit_entry
  USING (current_setting('app.tenant', true) = '*') WITH CHECK (current_setting('app.tenant', true) = '*');
ALTER TABLE public.audit_pending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_cost_delay = 0);
ALTER TABLE public.audit_head SET (fillfactor = 50);
"""

# A checkpoint is never rewritten: the application may add one and give it its place in the platform's tree.
CHECKPOINTS = """
DO $$
DECLARE grantee regrole;
BEGIN
  FOR grantee IN
    SELECT DISTINCT a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'public.audit_checkpoint'::regclass AND a.grantee NOT IN (c.relowner, 0)
  LOOP
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON public.audit_checkpoint FROM %s', grantee);
    EXECUTE format('GRANT UPDATE (position) ON public.audit_checkpoint TO %s', grantee);
    EXECUTE format('REVOKE DELETE, TRUNCATE, REFERENCES, TRIGGER ON public.audit_tree, public.audit_tile FROM %s', grantee);
  END LOOP;
END $$;
"""
