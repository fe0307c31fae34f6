"""What AI-BOS is measured against: the floor, plain DRF, and DRF with django-tenants."""
