"""Schedules: own the moments at which jobs are made, each moment once however many schedulers run; never run anything themselves."""
