"""Contact ways: the codes through which customers come."""
