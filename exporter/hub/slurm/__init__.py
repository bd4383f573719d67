"""What slurmrestd tells of the jobs of a cluster, asked once for all nodes."""
