"""Screens of customers and conflicts."""
