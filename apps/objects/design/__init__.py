"""Designing objects where they are used: own objects and the tenant's layer over a module's, through one set of services.

Offers `saving` (plan, publish, draft, discard, remove, roll back), `history` and `references`. The caller says what
the whole definition shall be; whether that becomes an object or a layer is decided here.
"""
