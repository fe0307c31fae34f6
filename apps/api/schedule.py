"""What Celery beat starts by the clock; merged into its settings by `config.celery`."""

BEAT = {"api.sweep_answers": {"task": "api.sweep_answers", "schedule": 900.0, "options": {"expires": 900.0}}}
