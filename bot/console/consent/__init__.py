"""Screens of what customers are told."""
