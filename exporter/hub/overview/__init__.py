"""The cluster as Prometheus knows it: a few figures for a person without Grafana."""
