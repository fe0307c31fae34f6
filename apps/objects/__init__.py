"""Objects: owns definitions, their tables and records; offers queries and record services; must never skip the permission compiler."""
