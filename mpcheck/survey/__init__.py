"""A device surveyed within a budget of time: parts in processes of their own, planned, limited, kept, and archived."""
