"""Faults at random moments, and an independent checker of what came of them."""
