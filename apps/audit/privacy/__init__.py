"""Privacy of the ledger: erasing a subject, holding back what a court wants kept, and removing what is old."""
