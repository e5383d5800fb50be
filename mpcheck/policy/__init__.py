"""Which number format each block of a whole model runs in: policies, what they cost in accuracy, and what they gain in speed."""
