"""Durable work: owns the life of a job; a row is the truth, Celery only rings; never runs anything in the caller's transaction."""
