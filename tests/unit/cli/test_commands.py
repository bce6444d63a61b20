"""Exit codes and messages of every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.invoked import invoke, run_parts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "mvtec_rt"], "did you mean 'mvtec_rto'"),
        (["run", "parts.yaml", "--filtre", "a=b"], "--filter"),
        (["run", "parts.yaml", "--profile", "quik"], "'quick'"),
        (["run", "parts.yaml", "--filter", "lid"], "--filter lid: expected KEY=VALUE"),
        (["run", "parts.yaml", "--filter", "seed=0", "--filter", "seed=1"], "--filter seed is given twice: 0 and 1"),
        (["run", "parts.yaml", "--data-root", "nowhere"], "nowhere"),
        (["run", "parts.yaml", "--plugins", "data"], "no plug-ins here"),
        (["run", "parts.yaml", "--executor", "inline", "--address", "auto"], "--address needs --executor ray"),
        (["run"], "Missing argument 'SUITE'"),
        (["shw"], "'show'"),
        (["show", "nothing"], "nothing"),
        (["list", "method"], ": 'method' is not one of 'methods', "),
        (["export", "parts", "--to", "table.xlsx"], "no records"),
        (["data", "check", "mvtec_ab"], "did you mean 'mvtec_ad'"),
        (["data", "check", "folder", "--data-root", "data"], "--category"),
        (["data", "check", "mvtec_ad", "--data-root", "data", "--category", "botle"], "did you mean 'bottle'"),
        (["data", "check", "mvtec_ad", "--data-root", "data", "--set", "alfa=white"], "did you mean 'alpha'"),
        (["data", "standin", "--to", "data"], "not empty"),
        (["data", "standin", "--to", "parts.yaml/below"], "cannot be made"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_a_message_and_exit_code_2(parts: Path, arguments: list[str], message: str) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_ctrl_c_is_exit_code_130(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pybench.run.run_plan.run", interrupted)
    done = run_parts("--profile", "paper")
    assert done.exit_code == 130
    assert "finished trials are kept in results/parts" in done.stderr
    monkeypatch.setattr("pybench.report.catalogue.metrics", interrupted)
    assert invoke("list", "metrics").exit_code == 130


def test_a_defect_of_pybench_keeps_its_traceback(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def defective() -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("pybench.report.catalogue.metrics", defective)
    done = invoke("list", "metrics")
    assert isinstance(done.exception, RuntimeError)
