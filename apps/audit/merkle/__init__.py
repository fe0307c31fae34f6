"""Proofs of the ledger: an RFC 6962 tree per ledger, signed checkpoints, inclusion and consistency.

Read `tree.py` for a ledger's leaves and proofs, `checkpoints.py` for what was signed, `maker.py` for who signs.
"""
