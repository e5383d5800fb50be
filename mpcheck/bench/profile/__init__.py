"""Where the time goes: ranges of blocks in torch's profiler, and backends in turns."""
