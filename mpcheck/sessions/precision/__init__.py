"""The precision session."""
