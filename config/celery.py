"""Celery: rings workers; what must survive a crash is a row, see `apps.events`."""

import os

from celery import Celery

from apps.events.jobs.beat import BEAT

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
app = Celery("aibos")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = BEAT
app.autodiscover_tasks()
