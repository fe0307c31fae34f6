"""Commands of events and work."""
