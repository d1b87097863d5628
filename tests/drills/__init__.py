"""Drills with real processes: `python -m tests.drills.restore`, `.upgrade`, `.two_hosts`."""
