"""Properties that need no reference: derivatives, sums, smoothness, inputs."""
