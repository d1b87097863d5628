"""Screens of leavers and moves."""
