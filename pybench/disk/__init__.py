"""The disk: files that a crash leaves whole, folders with a size limit, results that are computed once."""
