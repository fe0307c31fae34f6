"""CEL: owns the expression language; offers `compiled`, `parse`, `check`, `Env` and the tree; must never touch a model."""

from apps.core.cel.checking import Env, check
from apps.core.cel.compiling import Expression, compiled
from apps.core.cel.errors import CelError, Fault, OverBudget
from apps.core.cel.parser import parse
from apps.core.cel.running import Frame

__all__ = ["CelError", "Env", "Expression", "Fault", "Frame", "OverBudget", "check", "compiled", "parse"]
