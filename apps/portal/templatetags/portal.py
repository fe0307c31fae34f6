"""Tags of the portal's templates: icons, avatars, instants."""

import datetime as dt

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from apps.portal import marks, show

register = template.Library()
register.simple_tag(marks.icon, name="icon")
register.simple_tag(marks.avatar, name="avatar")
register.simple_tag(marks.star, name="star")


@register.simple_tag
def moment(at: dt.datetime) -> SafeString:
    """Return an instant as a `time` element in the reader's zone."""
    return show.when(at)


@register.simple_tag
def since(at: dt.datetime) -> str:
    """Return how long ago an instant was, in words; the last minute is now."""
    if timezone.now() - at < dt.timedelta(minutes=1):
        return _("just now")
    return _("%(since)s ago") % {"since": timesince(at)}
