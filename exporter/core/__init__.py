"""What the numbers mean: pure arithmetic on energy, time and jobs."""
