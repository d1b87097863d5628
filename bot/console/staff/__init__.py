"""Screens of members and departments."""
