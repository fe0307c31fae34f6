"""What changes identity, one file per subject; each function names its actor and writes the ledger."""
