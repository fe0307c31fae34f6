"""What Celery beat starts by the clock; merged into its settings by `config.celery`."""

BEAT = {"events.sweep": {"task": "events.sweep", "schedule": 5.0, "options": {"expires": 5.0}}}
