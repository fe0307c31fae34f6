"""Addresses below `/api/v1/keys`."""

from django.urls import path

from apps.api.auth import keys

urlpatterns = [
    path("keys", keys.KeysDoor.as_view()),
    path("keys/<uuid:key_id>", keys.KeyDoor.as_view()),
]
