"""Files: read, written, locked, told apart; versioned documents; the one place that knows each kind."""
