"""Deeds by what they are done to; each calls one service."""
