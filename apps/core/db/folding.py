"""Words without case and accents, as the search compares them: two functions of the shared schema.

`fold_text` is what an index is built of, so it is made once and never replaced: with `unaccent` where that
extension stands, else with lower case alone. `fold_like` is the LIKE pattern of a term, taken literally.
"""

_FOLD = """
CREATE FUNCTION public.fold_text(text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$body$ BEGIN RETURN lower({}); END $body$
"""
_PLAIN = _FOLD.format("$1")
# Most texts have no accents: where every character is one byte the dictionary is not asked.
_UNACCENTED = _FOLD.format(
    "CASE WHEN octet_length($1) = length($1) THEN $1"
    " ELSE public.unaccent('public.unaccent'::regdictionary, $1) END"
)
_LIKE = r"""
CREATE FUNCTION public.fold_like(text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS
$body$ BEGIN
  RETURN '%' || replace(replace(replace(public.fold_text($1), '\', '\\'), '%', '\%'), '_', '\_') || '%';
END $body$
"""
ENSURE = f"""
DO $do$ BEGIN
  IF to_regprocedure('public.fold_text(text)') IS NULL THEN
    IF to_regprocedure('public.unaccent(regdictionary, text)') IS NOT NULL
    THEN EXECUTE $sql${_UNACCENTED}$sql$; ELSE EXECUTE $sql${_PLAIN}$sql$; END IF;
  END IF;
  IF to_regprocedure('public.fold_like(text)') IS NULL THEN EXECUTE $sql${_LIKE}$sql$; END IF;
END $do$
"""
DROP = "DROP FUNCTION IF EXISTS public.fold_like(text); DROP FUNCTION IF EXISTS public.fold_text(text)"
# Under row-level security an index serves only comparisons that PostgreSQL holds to be leakproof; these it does not,
# because in general a wall may hide single rows. A tenant's wall is the same for all rows of its tables.
TRUSTED = (
    "public.fold_text(text)",
    "pg_catalog.textlike(text, text)",
    "pg_catalog.arraycontains(anyarray, anyarray)",
    *(f"pg_catalog.numeric_{name}(numeric, numeric)" for name in ("eq", "ne", "lt", "le", "gt", "ge")),
)
UNTRUSTED = """
SELECT p.oid::regprocedure::text FROM unnest(%s::text[]) AS name
JOIN pg_proc p ON p.oid = to_regprocedure(name) WHERE NOT p.proleakproof
"""
