#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

NO_DATABASE = """No database is named. Beside `make run` of this folder:

    make manage ARGS="{words}"

With a database of your own set DATABASE_URL and DATABASE_OWNER_URL (see docs/install.md)."""

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "settings.DATABASES" not in str(error):
            raise
        sys.exit(NO_DATABASE.format(words=" ".join(sys.argv[1:])))
