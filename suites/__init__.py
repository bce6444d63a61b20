"""The suites that come with pybench, packaged as ``pybench.suites``."""
