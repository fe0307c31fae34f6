"""The brand as files: the style sheet of a colour and the tenant's logo, both named by their content."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.core.errors import NotFound
from apps.portal import branding, logos
from apps.portal.views.frame import open_page

FOREVER = "public, max-age=31536000, immutable"


@require_GET
@open_page
def style(request: HttpRequest, color: str) -> HttpResponse:
    """Return the style sheet of a colour; the address holds all that decides it."""
    wish = f"#{color}"
    if not branding.COLOR.match(wish):
        raise NotFound(_("There is no page at this address."))
    return HttpResponse(branding.css(wish), content_type="text/css", headers={"Cache-Control": FOREVER})


@require_GET
@open_page
def logo(request: HttpRequest, name: str) -> HttpResponse:
    """Return the tenant's logo, also to visitors: it stands on the sign-in page."""
    found = logos.read(name)
    if found is None:
        raise NotFound(_("There is no page at this address."))
    return HttpResponse(found[0], content_type=found[1], headers={"Cache-Control": FOREVER})
