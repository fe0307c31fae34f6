"""Core: scope, errors, ids, registries and the queue's front; owns no table; must never import another app."""
