"""The machine: what it is, how busy it is, and who has it alone."""
