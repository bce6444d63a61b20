"""The command line as a whole: help, examples, version."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import pybench
from tests.unit.cli.invoked import invoke

COMMANDS = (
    "",
    "run",
    "tune",
    "best",
    "latency",
    "gate",
    "list",
    "show",
    "export",
    "submit",
    "doctor",
    "data",
    "data list",
    "data check",
    "data standin",
    "data sheet",
)
OPTION = re.compile("--[a-z-]+")


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pybench", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "pybench run mvtec_rto" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"torch", "ray", "numpy", "pandas", "scipy", "pydantic", "rich", "yaml"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_examples(command: str) -> None:
    shown = invoke(*command.split(), "--help")
    assert shown.exit_code == 0
    examples = shown.stdout.partition("Examples:")[2].split("\n")
    assert sum(line.strip().startswith("pybench") for line in examples) >= 2


def test_examples_name_real_options() -> None:
    helps = {command: invoke(*command.split(), "--help").stdout.partition("Examples:") for command in COMMANDS}
    lines = [line for _, _, examples in helps.values() for line in examples.splitlines()]
    for command, (options, _, _) in helps.items():
        own = [line for line in lines if command not in ("", "data") and f"pybench {command} " in line]
        assert {word for line in own for word in OPTION.findall(line)} <= set(OPTION.findall(options))


def test_the_version_is_printed_without_a_heavy_library() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pybench", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"pybench {pybench.__version__}\n"
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert not imported & {"torch", "ray", "numpy", "pydantic", "rich"}
