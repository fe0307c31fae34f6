"""The applications of AI-BOS; who may import whom is written in pyproject.toml."""
