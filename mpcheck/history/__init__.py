"""What was stored earlier: ratios and latencies by device, gates, series; two runs compared."""
