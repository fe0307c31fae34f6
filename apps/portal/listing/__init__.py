"""The list page: its address, its filters, its columns, what it shows."""
