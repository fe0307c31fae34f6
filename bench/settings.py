"""Production settings without HTTPS, which the benchmark's plain connections cannot speak."""

from config.settings.production import *  # noqa: F403

SECURE_SSL_REDIRECT = False
