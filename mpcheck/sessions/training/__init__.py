"""The training session."""
