"""Console: the doors for operators, on Django admin; owns no model; must never hold business logic."""
