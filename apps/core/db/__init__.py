"""The database back end: django-tenants' wrapper, with scopes that end with the transaction."""
