"""The datasets: one file each, whose stem is the dataset's name; ``pybench.registry`` finds and imports them."""
