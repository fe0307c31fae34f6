"""Addresses of a tenant's hosts: its portal and the API."""

from django.urls import include, path

from config.urls_shared import shared

urlpatterns = [*shared, path("", include("apps.portal.urls"))]
