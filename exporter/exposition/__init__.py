"""Edge out: metrics, the JSON interface and the page for a person."""
