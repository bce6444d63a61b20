"""Completion: names by cheap listing, plug-ins included, and nothing heavy is imported for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.invoked import invoke


def completed(*words: str, folder: Path | None = None) -> tuple[list[str], set[str]]:
    """What bash is offered for the last word, and the libraries that were imported for it."""
    line = " ".join(["pybench", *words])
    environment = {
        **os.environ,
        "_PYBENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
    }
    command = [sys.executable, "-X", "importtime", "-m", "pybench"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    return done.stdout.split(), imported


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "mvtec_r"), ["mvtec_rto"]),
        (("run", "mvtec_ad", "--dataset", "magnetic"), ["magnetic_tile"]),
        (("tune", "mvtec_ad", "--method", "hetm"), ["hetmm"]),
        (("tune", "mvtec_ad", "--metric", "image_auroc_sl"), ["image_auroc_sl_mean"]),
        (("data", "check", "mvtec_ad_s"), ["mvtec_ad_standin"]),
        (("gate", "--suite", "smo"), ["smoke"]),
        (("list", "met"), ["methods", "metrics"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_names_are_completed(words: tuple[str, ...], expected: list[str]) -> None:
    names, imported = completed(*words)
    assert names == expected
    assert not imported & {"torch", "ray", "pandas", "scipy", "matplotlib", "optuna"}


def test_plugins_and_runs_are_completed(tmp_path: Path) -> None:
    (tmp_path / "mine" / "methods").mkdir(parents=True)
    (tmp_path / "mine" / "methods" / "hetmm_of_mine.py").write_text("raise RuntimeError('is not imported')")
    (tmp_path / "results" / "first").mkdir(parents=True)
    words = ("tune", "--plugins", "mine", "--method", "hetmm_")
    assert completed(*words, folder=tmp_path)[0] == ["hetmm_of_mine"]
    assert completed("show", "", folder=tmp_path)[0] == ["first"]


def test_help_names_how_to_install_it() -> None:
    assert "--install-completion" in invoke("--help").stdout
    assert "--install-completion" not in invoke("run", "--help").stdout
