"""Doors of access: shares, sharing rules, restrictions, roles and teams, assignments, emergencies, and asking why."""
