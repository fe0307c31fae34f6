"""Signing in and what belongs to it, in the dialect of the better-auth client; every door calls one service of identity."""
