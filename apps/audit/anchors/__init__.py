"""Places outside the database that are told every checkpoint, so that whoever owns the database cannot rewrite it.

`contract.py` says what a place must do, `push.py` tells them, `places.py` makes them from LEDGER_ANCHORS.
"""
