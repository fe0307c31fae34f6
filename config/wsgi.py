"""Entry point of the request servers."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
pages = get_wsgi_application()

from apps.core.traffic import traffic  # noqa: E402 - needs the settings
from apps.events.health.processes import WEB, Heartbeat  # noqa: E402
from config.lanes import lanes  # noqa: E402

application = lanes(pages)
traffic.start()
Heartbeat(WEB).start()
