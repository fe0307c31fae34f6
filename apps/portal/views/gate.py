"""Pages for people who are not signed in: sign-in, a new password, an invitation, the language."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import FieldError, Invalid, Problem
from apps.identity import confirmations
from apps.identity.models import User
from apps.identity.place import place_of
from apps.identity.services import accounts, invitations, sign_in
from apps.portal import middleware
from apps.portal.views.frame import back, open_page

YEAR = 365 * 86400


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@open_page
def sign_in_page(request: HttpRequest) -> HttpResponse:
    """Sign a member in and lead them to where they wanted to go."""
    wish = request.POST.get("next", request.GET.get("next", ""))
    if getattr(request, "identity", None) is not None:
        return back(request, wish, reverse("portal:home"))
    context: dict[str, Any] = {"next": wish, "email": request.POST.get("email", "")}
    if request.method != "POST":
        return render(request, "portal/sign_in.html", context)
    try:
        sign_in.enter(request, email=request.POST.get("email", ""), password=request.POST.get("password", ""))
    except Problem as problem:
        return _again(request, "portal/sign_in.html", context, problem)
    return back(request, wish, reverse("portal:home"))


@require_POST
@open_page
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session of this browser."""
    logout(request)
    return HttpResponseRedirect(reverse("portal:sign-in"))


@require_http_methods(["GET", "HEAD", "POST"])
@open_page
def forgot(request: HttpRequest) -> HttpResponse:
    """Ask for a mail with a link; the answer is the same for known and unknown addresses."""
    if request.method != "POST":
        return render(request, "portal/forgot.html", {"email": request.GET.get("email", "")})
    email = request.POST.get("email", "")
    try:
        accounts.request_reset(email=email, place=place_of(request))
    except Problem as problem:
        return _again(request, "portal/forgot.html", {"email": email}, problem)
    return render(request, "portal/forgot_sent.html", {"email": email})


@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
@open_page
def reset(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a new password with the link of the mail."""
    try:
        confirmations.read_reset(token)
    except Problem as problem:
        return render(request, "portal/link_dead.html", {"problem": problem}, status=problem.status)
    if request.method != "POST":
        return render(request, "portal/reset.html")
    try:
        _same(request)
        accounts.reset_password(token=token, new=request.POST.get("password", ""))
    except Problem as problem:
        return _again(request, "portal/reset.html", {}, problem)
    messages.success(request, _("Your password is changed. Sign in with it."))
    return HttpResponseRedirect(reverse("portal:sign-in"))


@require_GET
@open_page
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm a new e-mail address with the link of the mail."""
    try:
        accounts.confirm_email(token=token)
    except Problem as problem:
        return render(request, "portal/link_dead.html", {"problem": problem}, status=problem.status)
    messages.success(request, _("Your e-mail address is changed."))
    return HttpResponseRedirect(reverse("portal:home"))


@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
@open_page
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Join the tenant: as who is signed in, with an account that exists, or as a new person."""
    try:
        found = invitations.read(token=token)
    except Problem as problem:
        return render(request, "portal/link_dead.html", {"problem": problem}, status=problem.status)
    known = User.objects.filter(email=found.email).exists()
    identity = getattr(request, "identity", None)
    context: dict[str, Any] = {"invitation": found, "known": known, "name": request.POST.get("name", "")}
    context["signed_in"] = identity is not None and identity.user.email == found.email
    if request.method != "POST":
        return render(request, "portal/invitation.html", context)
    try:
        if context["signed_in"] and identity is not None:
            user = invitations.accept_as(token=token, by=identity.actor)
        else:
            if not known:
                _same(request)
            password, name = request.POST.get("password", ""), request.POST.get("name", "")
            user = invitations.accept(token=token, password=password, place=place_of(request), name=name)
    except Problem as problem:
        return _again(request, "portal/invitation.html", context, problem)
    sign_in.welcome(request, user)
    messages.success(request, _("Welcome. You are a member now."))
    return HttpResponseRedirect(reverse("portal:home"))


@require_POST
@open_page
def language(request: HttpRequest) -> HttpResponse:
    """Keep the language for this device and go on."""
    response = back(request, request.POST.get("next", ""), reverse("portal:home"))
    code = middleware.supported(request.POST.get("language"))
    if code:
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(
            middleware.COOKIE, code, max_age=YEAR, samesite="Lax", secure=secure, httponly=True
        )
    return response


def _same(request: HttpRequest) -> None:
    if request.POST.get("password", "") != request.POST.get("again", ""):
        message = _("The two passwords are not the same.")
        raise Invalid(message, [FieldError("again", "invalid_value", message)])


def _again(request: HttpRequest, template: str, context: dict[str, Any], problem: Problem) -> HttpResponse:
    """Show the form again with what was wrong; Retry-After and the like are kept."""
    errors = {error.field: error.message for error in problem.fields}
    response = render(
        request, template, context | {"problem": problem, "errors": errors}, status=problem.status
    )
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response
