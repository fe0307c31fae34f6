"""`python -m aibos_verify`."""

import sys

from aibos_verify.command import main

sys.exit(main())
