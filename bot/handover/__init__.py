"""Customers and groups go from one member to others."""
