"""How large and how small the numbers of every tensor are, how they lie in memory, and what becomes of them as a structure grows."""
