"""The console's addresses, below /console/ on the platform's own host."""

from django.urls import path

from apps.console import registers
from apps.console.site import console_site

registers.enroll(console_site)

urlpatterns = [path("", console_site.urls)]
