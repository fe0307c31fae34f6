"""Addresses below `/api/v1/webhooks` and `/api/v1/hooks`."""

from django.urls import path

from apps.api.hooks import incoming, outgoing

ONE = "webhooks/<uuid:endpoint_id>"
DELIVERY = "webhooks/deliveries/<uuid:delivery_id>"
SOURCE = "hooks/sources/<uuid:source_id>"

urlpatterns = [
    path("webhooks", outgoing.EndpointsDoor.as_view()),
    path(ONE, outgoing.EndpointDoor.as_view()),
    path(f"{ONE}/pause", outgoing.PauseDoor.as_view()),
    path(f"{ONE}/resume", outgoing.ResumeDoor.as_view()),
    path(f"{ONE}/rotate", outgoing.RotateDoor.as_view()),
    path(f"{ONE}/test", outgoing.TryDoor.as_view()),
    path(f"{ONE}/send-missed", outgoing.SendMissedDoor.as_view()),
    path(f"{ONE}/deliveries", outgoing.DeliveriesDoor.as_view()),
    path(DELIVERY, outgoing.DeliveryDoor.as_view()),
    path(f"{DELIVERY}/redeliver", outgoing.RedeliverDoor.as_view()),
    path("hooks/sources", incoming.SourcesDoor.as_view()),
    path(SOURCE, incoming.SourceDoor.as_view()),
    path(f"{SOURCE}/pause", incoming.SourcePauseDoor.as_view()),
    path(f"{SOURCE}/resume", incoming.SourceResumeDoor.as_view()),
    path(f"{SOURCE}/rotate", incoming.SourceRotateDoor.as_view()),
    path("hooks/in/<str:name>", incoming.IncomingDoor.as_view()),
]
