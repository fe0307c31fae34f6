"""Settings of `make run`: readable logs, a key of its own, cookies without HTTPS."""

from config.settings.base import *
from config.settings.base import ENV, LOG_LEVEL, STORAGES

SECRET_KEY = ENV["SECRET_KEY"] or "development-only-" + "not-a-secret-" * 4
LOG_FORMAT = ENV["LOG_FORMAT"] or "console"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
