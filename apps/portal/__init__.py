"""Portal: the doors for members; owns saved views; must never hold business logic."""
