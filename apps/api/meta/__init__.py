"""Metadata over HTTP: definitions as the caller may see them, with every default written out."""
