"""Rules decide: pure functions over plain values, each decision with its reason."""
