"""Profiles: `development`, `production` and `test`, each on top of `base`."""
