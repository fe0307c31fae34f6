"""App configuration of the portal."""

from typing import ClassVar

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    """The members' pages; its tables stand in each tenant's schema."""

    name = "apps.portal"
    verbose_name = _("Portal")
    placement: ClassVar[str] = "tenant"
