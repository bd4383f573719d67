"""Edge in: how dirty a kilowatt-hour is."""
