"""Drills with real processes: `python -m tests.drills.restore`, and `.upgrade`."""
