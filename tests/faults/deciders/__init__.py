"""Other projects' rules for "right" and "wrong", applied to the same replayed blocks as mpcheck's own."""
