"""The profile session."""
