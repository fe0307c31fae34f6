"""Modules: owns the catalogue of packages and a tenant's installations; offers `install`, `upgrade`, `uninstall`;
must never import or execute anything that a package contains: packages are data.
"""
