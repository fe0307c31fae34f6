"""API: the doors for programs; owns nothing but idempotency answers; must never hold business logic."""
