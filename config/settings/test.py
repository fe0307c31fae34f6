"""Settings of the test suite: cheap password hashes, mails kept in memory, no broker."""

from config.settings.base import *
from config.settings.base import ENV, STORAGES

SECRET_KEY = "test-key-" + "0" * 50
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
LOG_FORMAT = ENV["LOG_FORMAT"] or "console"
LOGGING = {"level": "WARNING", "format": LOG_FORMAT}
LEDGER_ANCHORS = []  # a test that wants one names its own folder
