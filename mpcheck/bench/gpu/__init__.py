"""Clocks, graphs, kernels, energy and throttling of a GPU."""
