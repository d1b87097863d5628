"""Rules decide whose customer somebody is."""
