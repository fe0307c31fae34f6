"""The members' pages of a tenant.

Owns: saved views, recent records and preferences of members; templates, styles and scripts.
Offers: `urls` for tenant hosts, `manage.py vendor`.
Never: business rules; every read goes through objects.query, every write through a service.
"""
