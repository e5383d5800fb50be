"""The fastest policy within a budget."""
