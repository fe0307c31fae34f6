"""The addresses of the API, the same on every host. The last one refuses whatever no door serves."""

from django.urls import path, re_path

from apps.api import discovery, health

V1 = "api/v1"

urlpatterns = [
    path(".well-known/objectstack", discovery.WellKnownDoor.as_view()),
    path("healthz", health.AliveDoor.as_view(), name="healthz"),
    path("readyz", health.ReadyDoor.as_view(), name="readyz"),
    path("diagz", health.DiagnosisDoor.as_view(), name="diagz"),
    path(V1, discovery.DiscoveryDoor.as_view()),
    path(f"{V1}/discovery", discovery.DiscoveryDoor.as_view(), name="discovery"),
    path(f"{V1}/health", health.ProtocolHealthDoor.as_view()),
    path(f"{V1}/ready", health.ProtocolReadyDoor.as_view()),
    re_path(r"^api(?:/.*)?$", discovery.MissingDoor.as_view()),
]
