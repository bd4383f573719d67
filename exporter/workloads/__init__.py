"""Edge in: who is running on this node."""
