"""What one process reads of a benchmark: first calls, and rounds of calls beside the yardstick."""
