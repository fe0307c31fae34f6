"""Tenants of the DRF + django-tenants peer."""
