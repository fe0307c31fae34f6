"""Addresses of a tenant's hosts: its portal and the API."""

from django.urls import include, path

from config.urls_shared import shared

urlpatterns = [*shared, path("", include("apps.portal.urls"))]

handler403 = "apps.portal.views.errors.forbidden"
handler404 = "apps.portal.views.errors.not_found"
handler500 = "apps.portal.views.errors.failed"
