"""The tenant's own layer over a module's object: additions and changes that outlive the module's upgrades.

module's definition (base) + the tenant's overlay = the definition in force, which is all that the catalog reads.
Offers `layering` (pure: merge, derive) and `keeping` (the rows); must never publish anything itself.
"""
