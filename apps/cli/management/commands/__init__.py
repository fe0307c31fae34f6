"""Django commands of the CLI app."""
