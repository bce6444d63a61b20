"""Sides of a gate for tests: tiny packages with one factory of a call or several."""

from __future__ import annotations

import sys
from pathlib import Path

from pybench.gate.process import Side, Source

BODIES = {
    "fine": "return lambda: None",
    "raises": "raise ValueError('the lamp is broken')",
    "breaks_later": "return lambda: 1 / 0",
    "dies": "import os; return lambda: os.abort()",
    "prints": "print('{}'); return lambda: print('not the protocol')",
    "threads": "import os; raise ValueError('threads: ' + os.environ['OMP_NUM_THREADS'])",
    "exits": "return lambda: exit(3)",
}


def side(folder: Path, name: str, *bodies: str, head: str = "") -> Side:
    """A tree with a package ``mine`` whose module ``calls`` has these factories."""
    tree = folder / name
    (tree / "mine").mkdir(parents=True)
    (tree / "mine" / "__init__.py").touch()
    functions = [f"def {body}():\n    {BODIES[body]}\n" for body in bodies]
    (tree / "mine" / "calls.py").write_text(head + "\n".join(functions))
    return Side(name, (sys.executable, "-P"), tree, {"PYTHONPATH": str(tree)})


def source(factory: str) -> Source:
    return Source("factory_cases.py", {"factory": f"mine.calls:{factory}", "package": "mine"})
