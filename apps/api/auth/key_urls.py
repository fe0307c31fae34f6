"""Addresses below `/api/v1/keys`."""

from django.urls import path

from apps.api.auth import keys

urlpatterns = [
    path("", keys.KeysDoor.as_view()),
    path("/<uuid:key_id>", keys.KeyDoor.as_view()),
]
