"""The training-step session."""
