"""Benchmarks: compared in one run, printed as ratios; never part of the test suite."""
