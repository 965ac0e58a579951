"""What is asked of the upstream: one authorised HTTP path, and those who use it."""
