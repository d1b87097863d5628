"""Reports ask: read-only questions over what the models remember."""
