"""Latency, memory and cost of a model's blocks, and the decisions that gate them."""
