"""What really ran, in which types, and how it adds up."""
