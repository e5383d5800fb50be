"""What a gate found, read back from the sessions' records: uniform rows for reports, comparisons, histories and annotations.

Nothing here imports torch: a job that only reads records need not install it.
"""
