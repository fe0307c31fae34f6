"""Definitions to tables: owns plan and apply; offers both; must never run outside the owner's session."""

from apps.objects.schema.applying import apply, preview
from apps.objects.schema.planning import Plan, Step, plan

__all__ = ["Plan", "Step", "apply", "plan", "preview"]
