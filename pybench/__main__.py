"""``python -m pybench`` is the command ``pybench``."""

from pybench.cli import main

main()
