"""The tests of AI-BOS: one folder per application, and journeys through the real doors."""
