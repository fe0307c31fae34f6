"""The member's own things: name, language, zone, theme, password, sessions."""

from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language_info, override
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.errors import FieldError, Invalid, Problem
from apps.identity import queries
from apps.identity.services import accounts
from apps.identity.services import sessions as services
from apps.identity.user_agents import device_of
from apps.portal import middleware, preferences
from apps.portal.context import THEME_COOKIE
from apps.portal.models import Preference
from apps.portal.views.frame import actor_of, identity_of, page

FIELD_IDS = {"timeZone": "time_zone", "currentPassword": "current", "newPassword": "password"}


def _base(request: HttpRequest, current: str) -> dict[str, Any]:
    entries = [
        ("profile", "user-circle", _("Profile")),
        ("profile-password", "lock-password", _("Password")),
        ("profile-sessions", "devices", _("Sessions")),
    ]
    menu = [
        {"name": n, "icon": icon, "label": label, "href": reverse(f"portal:{n}")}
        for n, icon, label in entries
    ]
    label = next(item["label"] for item in menu if item["name"] == current)
    return {
        "settings_menu": menu,
        "settings_current": current,
        "heading": label,
        "crumbs": [(_("Your profile"), reverse("portal:profile")), (label, "")],
    }


def _refused(problem: Problem, labels: dict[str, str]) -> dict[str, Any]:
    errors = {FIELD_IDS.get(error.field, error.field): error.message for error in problem.fields}
    summary = [
        (name if name in labels else "", labels.get(name, name), text) for name, text in errors.items()
    ]
    return {"problem": problem, "errors": errors, "summary": summary}


@require_http_methods(["GET", "HEAD", "POST"])
@page
def profile(request: HttpRequest) -> HttpResponse:
    """Show and change name, language, time zone and theme."""
    user = identity_of(request).user
    liked = preferences.of(user.id)
    context = _base(request, "profile") | {
        "values": {
            "name": user.name,
            "locale": user.locale,
            "time_zone": user.time_zone,
            "theme": liked.theme,
        },
        "languages": [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES],
        "zones": sorted(
            zone
            for zone in available_timezones()
            if "/" in zone and not zone.startswith(("Etc/", "SystemV/", "posix/", "right/"))
        ),
        "themes": Preference.Theme.choices,
        "person": user,
    }
    if request.method != "POST":
        return render(request, "portal/profile.html", context)
    sent = {name: request.POST.get(name, "") for name in ("name", "locale", "time_zone")}
    theme = request.POST.get("theme", liked.theme)
    try:
        accounts.update_profile(by=actor_of(request), **sent)
        preferences.change(by=actor_of(request), theme=theme)
    except Problem as problem:
        labels = {
            "name": _("Name"),
            "locale": _("Language"),
            "time_zone": _("Time zone"),
            "theme": _("Theme"),
        }
        context |= _refused(problem, labels) | {"values": sent | {"theme": theme}}
        return render(request, "portal/profile.html", context, status=problem.status)
    with override(middleware.supported(sent["locale"]) or middleware.language_for(request)):
        messages.success(request, _("Your profile is saved."))
    response = HttpResponseRedirect(reverse("portal:profile"))
    response.delete_cookie(THEME_COOKIE, samesite="Lax")
    return response


@sensitive_post_parameters("current", "password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
@page
def password(request: HttpRequest) -> HttpResponse:
    """Change the password; all other sessions end."""
    context = _base(request, "profile-password")
    if request.method != "POST":
        return render(request, "portal/password.html", context)
    post = request.POST
    try:
        if post.get("password", "") != post.get("again", ""):
            message = _("The two passwords are not the same.")
            raise Invalid(message, [FieldError("again", "invalid_value", message)])
        accounts.change_password(
            by=actor_of(request),
            current=post.get("current", ""),
            new=post.get("password", ""),
            session_id=identity_of(request).credential_id,
        )
    except Problem as problem:
        labels = {
            "current": _("Current password"),
            "password": _("New password"),
            "again": _("New password again"),
        }
        return render(
            request, "portal/password.html", context | _refused(problem, labels), status=problem.status
        )
    messages.success(request, _("The password is changed. Your other sessions have ended."))
    return HttpResponseRedirect(reverse("portal:profile-password"))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def sessions(request: HttpRequest) -> HttpResponse:
    """List the own sessions; POST ends all others."""
    identity = identity_of(request)
    if request.method == "POST":
        services.end_sessions(user_id=identity.user_id, by=identity.actor, but=identity.credential_id)
        messages.success(request, _("All other sessions have ended."))
        return HttpResponseRedirect(reverse("portal:profile-sessions"))
    found = [
        {"session": s, "device": _device(s.user_agent), "here": s.id == identity.credential_id}
        for s in queries.sessions_of(identity.user_id)
    ]
    return render(request, "portal/sessions.html", _base(request, "profile-sessions") | {"sessions": found})


@require_POST
@page
def end_session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """End one own session."""
    services.end_session(session_id=session_id, by=actor_of(request))
    messages.success(request, _("The session has ended."))
    return HttpResponseRedirect(reverse("portal:profile-sessions"))


def _device(agent: str) -> dict[str, str]:
    """Return the words for a user agent and the icon beside them."""
    found = device_of(agent)
    icon = "device-mobile" if found.phone else "device-desktop" if found.browser else "terminal-2"
    return {"label": found.label or _("Program"), "icon": icon}
