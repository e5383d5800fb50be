"""Stand-ins for what a machine may lack."""
