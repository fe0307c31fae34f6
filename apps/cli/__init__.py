"""CLI: start, stop, demo data and checks from the command line; owns no model."""
