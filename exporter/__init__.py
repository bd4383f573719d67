"""jouled: energy and carbon of every job on a cluster, for Prometheus."""
