"""The machine: what it is, how busy it is, and a lock on it."""
