"""The script that times cases: its protocol."""

from __future__ import annotations

import io
import json
from pathlib import Path

from pybench.gate.worker import Worker, serve


def test_the_script_answers_line_by_line(tmp_path: Path) -> None:
    requests = io.StringIO('{"do": "prepare", "case": "none"}\n{"do": "sing"}\n')
    answers = io.StringIO()
    serve(Worker(tmp_path), requests, answers)
    first, second = map(json.loads, answers.getvalue().splitlines())
    assert "KeyError" in first["error"]
    assert "_sing" in second["error"]
