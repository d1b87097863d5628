"""Callbacks: kept before they are answered, worked on, archived."""
