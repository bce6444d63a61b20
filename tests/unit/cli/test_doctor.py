"""pybench doctor: the checks of this machine."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.invoked import invoke


def test_doctor_names_what_is_there(parts: Path) -> None:
    done = invoke("doctor", "--data-root", "data", "--format", "json")
    checks = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.exit_code == 0
    assert {"python", "cpu", "memory", "torch", "ray", "faiss", "cuda", "results", "cache"} <= set(checks)
    assert checks["mutual_match reference"]["status"] == "ok"
    assert checks["data mvtec_ad"]["status"] == "missing"
    assert "mvtec" in checks["data mvtec_ad"]["advice"]
    assert {"weights wide_resnet50_2"} <= set(checks)
