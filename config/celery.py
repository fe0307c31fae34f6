"""Celery: rings workers; what must survive a crash is a row, see `apps.events`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
app = Celery("aibos")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
