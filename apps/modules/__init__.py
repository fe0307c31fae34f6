"""Modules: owns the catalogue and installations; offers install; must never import a module's content."""
