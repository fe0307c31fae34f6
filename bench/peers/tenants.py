"""The same DRF views behind django-tenants' middleware and back end."""

from bench.peers.drf import urlpatterns

__all__ = ["urlpatterns"]
