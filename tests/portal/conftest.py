"""Fixtures of the pages' tests."""

from tests.portal.atelier import atelier

__all__ = ["atelier"]
