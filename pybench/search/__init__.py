"""The search for a method's hyper-parameters: candidates, their values, and the log of a search."""
