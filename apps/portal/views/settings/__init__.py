"""The settings: members, permissions, keys, brand, modules, ledger, jobs."""
