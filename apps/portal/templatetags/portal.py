"""Tags of the portal's templates: icons, avatars, instants."""

import datetime as dt

from django import template
from django.utils.safestring import SafeString

from apps.portal import marks, show

register = template.Library()
register.simple_tag(marks.icon, name="icon")
register.simple_tag(marks.avatar, name="avatar")


@register.simple_tag
def moment(at: dt.datetime) -> SafeString:
    """Return an instant as a `time` element in the reader's zone."""
    return show.when(at)
