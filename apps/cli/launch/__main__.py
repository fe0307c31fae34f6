"""The launcher's command line: python -m apps.cli.launch VERB."""

import sys

from apps.cli.launch import commands

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv[1:]))
