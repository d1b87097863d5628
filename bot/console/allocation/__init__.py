"""Screens of the rules of allocation."""
