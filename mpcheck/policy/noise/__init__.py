"""What each block's roundings do to a whole model, and what a policy's errors will be."""
