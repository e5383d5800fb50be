"""Files that ``mpcheck init`` writes into somebody's repository."""
