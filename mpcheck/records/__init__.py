"""What sessions write, read back and put together; what it amounts to. No torch: a job that only reads records need not install it."""
