"""Networks, losses and the selection of templates; the name of each file begins with that of its method."""
