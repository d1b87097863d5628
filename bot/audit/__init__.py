"""The audit log: what people did, in a chain that shows every change."""
