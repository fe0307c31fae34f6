"""Evidence: entries of a ledger with everything an outsider needs to check them without this product.

`choose.py` says which entries, `gather.py` collects them with their proofs, `write.py` makes one file of it.
"""
