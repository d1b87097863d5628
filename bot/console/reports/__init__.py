"""Screens that speak of all capabilities."""
