"""What dynamics must obey whatever the format: each law is one number beside what it must be, with an error and a verdict."""
