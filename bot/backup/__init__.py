"""Backups, and what is done after one was restored."""
