"""One file per sub-command of `jouled`."""
