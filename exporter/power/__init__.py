"""Edge in: what draws power. One file per kind of sensor."""
