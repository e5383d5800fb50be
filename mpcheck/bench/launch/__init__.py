"""Processes that measure, and how they are started, pinned, alternated."""
