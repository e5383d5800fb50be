"""The bench session."""
