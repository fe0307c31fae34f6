"""What every template of the portal may read under the name `portal`; looked up only when it is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation

from apps.core.scope import scope_of
from apps.events.health import alerts
from apps.events.health.alerts import Notice
from apps.permissions.access import access_for
from apps.portal import branding, preferences
from apps.portal.marks import initials
from apps.portal.models import Preference
from apps.portal.navigation import Group, Item, groups
from apps.tenants import queries
from apps.tenants.queries import TenantSnapshot

THEME_COOKIE = "aibos_theme"
PRODUCT = "AI-BOS"


@dataclass(frozen=True)
class BrandView:
    """The tenant's name, mark and colours as templates use them."""

    name: str
    initials: str
    logo_url: str
    css_url: str


def current(tenant: TenantSnapshot | None) -> TenantSnapshot | None:
    """Return the tenant as it is now: the host's cached answer may be a second old, a saved brand must not be."""
    scope = scope_of()
    if tenant is None or scope is None or scope.tenant is None:
        return tenant
    return queries.snapshot(tenant.id) or tenant


class PortalContext:
    """The frame of a page: brand, navigation, person, theme, language."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._identity = getattr(request, "identity", None)
        self._tenant = current(getattr(request, "tenant", None))

    @cached_property
    def brand(self) -> BrandView:
        """The tenant's brand; the product's own on the platform's host."""
        if self._tenant is None:
            return BrandView(PRODUCT, "A", "", "")
        color = self._tenant.brand_color
        css_url = reverse("portal:brand-css", args=[color.lstrip("#")]) if branding.COLOR.match(color) else ""
        logo = (
            reverse("portal:logo", args=[self._tenant.logo.rsplit("/", 1)[-1]]) if self._tenant.logo else ""
        )
        return BrandView(self._tenant.name, initials(self._tenant.name), logo, css_url)

    @cached_property
    def person(self) -> dict[str, str]:
        """Name and e-mail address of the member; empty texts for nobody."""
        user = self._identity.user if self._identity else None
        return {"name": user.label if user else "", "email": user.email if user else ""}

    @cached_property
    def navigation(self) -> list[Group]:
        """The installed modules with the objects that the member may read."""
        return groups(self._request.actor) if self._identity else []  # type: ignore[attr-defined]

    @cached_property
    def creatable(self) -> list[Item]:
        """The objects of which the member may create records."""
        return [item for group in self.navigation for item in group.items if item.can_create]

    @cached_property
    def _preference(self) -> Preference | None:
        if self._identity is None or self._tenant is None or not self._tenant.serves:
            return None
        return preferences.of(self._identity.user_id)

    @cached_property
    def alerts(self) -> tuple[Notice, ...]:
        """What is in the way of the tenant's people, for those who may view the ledger; empty for all others."""
        if self._identity is None or self._tenant is None or not self._tenant.serves:
            return ()
        scope = scope_of()
        if scope is None or scope.tenant is None or not (found := alerts.for_tenant()):
            return ()
        access = access_for(self._request.actor)  # type: ignore[attr-defined]
        return found[:3] if access.has_system("view_audit") else ()

    @property
    def manages(self) -> bool:
        """Whether the member runs the tenant: its owners and administrators."""
        return self._identity is not None and self._identity.actor.role in alerts.MANAGERS

    @property
    def theme(self) -> str:
        """light, dark or auto: the last choice on this device, else the member's."""
        cookie = self._request.COOKIES.get(THEME_COOKIE, "")
        if cookie in Preference.Theme.values:
            return cookie
        return self._preference.theme if self._preference else Preference.Theme.AUTO

    @property
    def density(self) -> str:
        """How close the rows stand: normal or compact."""
        return self._preference.density if self._preference else Preference.Density.NORMAL

    @property
    def language_code(self) -> str:
        """The language as Django names it, e.g. zh-hans."""
        return translation.get_language() or settings.LANGUAGE_CODE

    @property
    def language(self) -> str:
        """The language as HTML names it, e.g. zh-Hans."""
        return {"zh-hans": "zh-Hans"}.get(self.language_code, self.language_code)

    @property
    def direction(self) -> str:
        """How the language is written: ltr or rtl."""
        return "rtl" if translation.get_language_bidi() else "ltr"

    @property
    def languages(self) -> list[tuple[str, str]]:
        """Each shipped language with its own name."""
        return [
            (code, translation.get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES
        ]

    @property
    def live(self) -> bool:
        """Whether pages hear of jobs through a socket: where processes share a channel layer."""
        return not isinstance(get_channel_layer(), InMemoryChannelLayer)


def portal(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `portal` on every page of ours."""
    return {"portal": PortalContext(request)}
