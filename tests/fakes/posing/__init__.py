"""A processor that poses as a GPU."""
