"""The queues that `bench.jobs` compares: each does the same effect, one row in a table, in its own ordinary way."""
