"""Screens of logins, accounts, roles and tokens."""
