"""Column encryption: owns a tenant's keys and the form of sealed values; offers the ring; must never store a text."""
