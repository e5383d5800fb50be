"""The md session."""
