"""The wiring of the product: settings, URLs, servers and Celery; imported by no application."""
