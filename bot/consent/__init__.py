"""Customers are told that conversations are archived, and answer."""
