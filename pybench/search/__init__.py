"""Search for a method's hyper-parameters: what is searched, within which limits, how, and what is kept of it."""
