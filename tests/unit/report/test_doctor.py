"""What ``pybench doctor`` says of the caches, and where a library is broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pybench.disk.size_limit import BoundedFolder
from pybench.report import doctor


def test_a_cache_is_named_with_its_size_and_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path))
    folder = BoundedFolder("features", suffix=".npy", variable="PYBENCH_TEST_GB")
    folder.path.mkdir()
    (folder.path / "map.npy").write_bytes(bytes(12 * 2**20))
    checks = {}
    for given in ("1.5", "0", "much"):
        monkeypatch.setenv("PYBENCH_TEST_GB", given)
        checks[given] = doctor._cache("feature cache", folder)
    held = f"0.01 GB in {tmp_path / 'features'}"
    assert checks["1.5"] == doctor.Check("feature cache", "ok", f"{held}, at most 1.5 GB")
    assert checks["0"] == doctor.Check(
        "feature cache", "missing", f"switched off; {held}", "set PYBENCH_TEST_GB above 0"
    )
    assert checks["much"].status == "broken"


def test_both_caches_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("PYBENCH_FITTED_GB", "0")
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "much")
    assert [(check.name, check.status) for check in doctor._caches()] == [
        ("feature cache", "broken"),
        ("fitted states", "missing"),
    ]


@pytest.mark.parametrize("name", ["torch", "torchvision", "timm"])
def test_a_library_that_cannot_be_imported_is_named_and_ends_no_check(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # importing it raises
    checks = {check.name: check for check in doctor.examine(tmp_path, tmp_path)}
    assert checks[name].status == "broken"
    assert "cannot be imported" in checks[name].found
    assert checks["cache"].status == "ok"
    assert "feature cache" not in checks
