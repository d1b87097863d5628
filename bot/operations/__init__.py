"""How the service is doing, and what keeps it running."""
