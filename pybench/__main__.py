"""``python -m pybench`` is the command ``pybench``."""

from pybench.cli.app import main

main()
