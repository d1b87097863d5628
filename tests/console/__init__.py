"""The console as its readers see it."""
