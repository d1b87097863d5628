"""Risk: what is said in messages, in words and in meaning."""
