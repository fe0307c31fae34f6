"""What the official client sent and the reference server answered, reduced to shapes."""
