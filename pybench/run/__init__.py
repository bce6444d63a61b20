"""The run: all trials of a plan, and their latencies, until the store holds them."""
