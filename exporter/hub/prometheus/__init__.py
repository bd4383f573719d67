"""The way to Prometheus, which budgets and the overview read."""
