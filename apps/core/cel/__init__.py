"""CEL: owns the expression language; offers `compiled`, `parse`, `check`, `Env` and the tree; must never touch a model."""

from apps.core.cel.checking import Env, check
from apps.core.cel.compiling import Expression, compiled
from apps.core.cel.errors import CelError, Fault, OverBudget
from apps.core.cel.parser import parse

__all__ = ["CelError", "Env", "Expression", "Fault", "OverBudget", "check", "compiled", "parse"]
