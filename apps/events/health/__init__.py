"""How the product looks after itself: checks, the probe that runs them, its memory, healing and alerts."""
