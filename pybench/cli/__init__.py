"""The command line: arguments, and nothing else."""

from pybench.cli.app import main

__all__ = ["main"]
