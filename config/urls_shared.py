"""Addresses that every host serves."""

from django.urls import include, path

shared = [
    path("", include("apps.api.urls")),
]
