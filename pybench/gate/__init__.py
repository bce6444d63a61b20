"""`pybench gate`: is head slower than base? Both are run side by side, never compared with a stored time."""
