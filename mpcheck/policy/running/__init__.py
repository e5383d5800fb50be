"""A model that runs as a policy says: cast, packed, confirmed, written and read."""
