"""Results: records on the disk, and what is asked of them."""
