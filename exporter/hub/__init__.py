"""The service of a site: intensity for all nodes, and carbon budgets."""
