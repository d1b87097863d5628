"""Customers, their groups, whose they are, and conflicts about them."""
