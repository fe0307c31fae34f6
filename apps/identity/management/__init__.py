"""Management of identity."""
