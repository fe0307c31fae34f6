"""Permissions: owns permission sets and assignments; offers one compiler (check and SQL predicate); must never read a record."""
