"""Starts and stops the product's processes on one machine.

One file, one job; nothing here imports Django, so that it can report a broken installation.
"""
