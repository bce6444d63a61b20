"""The anomaly detectors, one file each; the file's stem is the method's name. Packaged as ``pybench.methods``."""
