"""Copies of the ledgers for a security team's own system: how an entry is written there, how it gets there, and from where on."""
