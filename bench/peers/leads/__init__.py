"""The one table of the benchmark."""
