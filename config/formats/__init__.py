"""How dates and numbers look where Django's own choice is incomplete or not what people write."""
