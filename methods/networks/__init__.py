"""Networks and losses of the methods that train; one file per method."""
