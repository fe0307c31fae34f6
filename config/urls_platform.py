"""Addresses of the platform's own hosts: the console, the API and the health doors."""

from django.urls import include, path
from django.views.generic import RedirectView

from config.urls_shared import shared

urlpatterns = [
    *shared,
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("console/", include("apps.console.urls")),
]

handler404 = "apps.console.pages.absent.not_found"
handler500 = "apps.console.pages.absent.failed"
