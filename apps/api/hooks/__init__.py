"""Webhooks over HTTP: endpoints and their log, sources, and the door through which messages come in."""
