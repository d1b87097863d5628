"""Screens of contact ways."""
