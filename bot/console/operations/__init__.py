"""Screens of how the service is doing."""
