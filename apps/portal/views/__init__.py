"""The pages: each view reads the input, calls one service or query, and shows the result."""
