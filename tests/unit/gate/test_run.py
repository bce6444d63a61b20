"""The measurement: the protocol with real processes of tiny packages, the schedule with workers that only pretend."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pybench.gate import run
from pybench.gate.process import Side, SideError, Source, WorkerDied
from pybench.gate.rule import Verdict
from pybench.types import InputError
from tests.unit.gate.sides import side, source


@pytest.fixture(autouse=True)
def _few_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PAIRS", 3)
    monkeypatch.setattr(run, "_MOST_ROUNDS", 1)
    monkeypatch.setattr(run, "_SAMPLE_NS", 1000)


def compared(tmp_path: Path, factory: str, base: tuple[str, ...], head: tuple[str, ...]) -> Any:
    (result,) = run.compare(side(tmp_path, "base", *base), side(tmp_path, "head", *head), source(factory))
    return result


def test_both_sides_are_measured(tmp_path: Path) -> None:
    result = compared(tmp_path, "fine", ("fine",), ("fine",))
    assert not result.verdict.is_failure or result.verdict is Verdict.regression  # what times do is no concern here
    assert len(result.pairs) == 3
    assert all(len(pairs.base) == len(pairs.head) == 3 for pairs in result.pairs)
    assert all((pairs.base > 0).all() for pairs in result.pairs)


def test_what_only_base_has_is_missing(tmp_path: Path) -> None:
    result = compared(tmp_path, "fine", ("fine",), ())
    assert result.verdict is Verdict.missing
    assert result.verdict.is_failure


def test_what_only_head_has_is_new(tmp_path: Path) -> None:
    assert compared(tmp_path, "fine", (), ("fine",)).verdict is Verdict.new


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raises", "the lamp is broken"),
        ("breaks_later", "division by zero"),
        ("dies", "SIGABRT"),
        ("exits", "SystemExit"),
    ],
)
def test_a_crash_is_no_pass(tmp_path: Path, body: str, words: str) -> None:
    result = compared(tmp_path, body, (body,), (body,))
    assert result.verdict is Verdict.crash
    assert words in result.reason
    assert result.reason.startswith("base")


def test_what_a_case_prints_disturbs_nothing(tmp_path: Path) -> None:
    assert len(compared(tmp_path, "prints", ("prints",), ("prints",)).pairs) == 3


def test_a_module_that_does_not_import_is_an_error_of_its_side(tmp_path: Path) -> None:
    sides = side(tmp_path, "base", "fine"), side(tmp_path, "head", "fine", head="import not_there_at_all\n")
    with pytest.raises(SideError, match="not_there_at_all") as raised:
        run.compare(*sides, source("fine"))
    assert raised.value.side == "head"


def test_an_unknown_case_is_named(tmp_path: Path) -> None:
    sides = side(tmp_path, "base", "fine"), side(tmp_path, "head", "fine")
    with pytest.raises(InputError, match="did you mean 'mine"):
        run.compare(*sides, source("fine"), wanted=["mine.calls:fin"])


def test_one_side_alone(tmp_path: Path) -> None:
    assert run.time_one_side(side(tmp_path, "head", "fine"), source("fine")).shape == (3,)
    with pytest.raises(SideError):
        run.time_one_side(side(tmp_path / "other", "head"), source("fine"))


def test_workers_run_on_one_thread(tmp_path: Path) -> None:
    assert "threads: 1" in compared(tmp_path, "threads", ("threads",), ("threads",)).reason


# --- workers that pretend -----------------------------------------------------------------------------------------


class Pretended:
    """Answers as a worker does, with times of a model; ``asked`` keeps who was asked what, over all processes."""

    asked: ClassVar[list[tuple[str, str]]] = []
    slowdown = 1.0
    noise = 0.02
    cases = ("a", "b")
    dies_at = ""  # case whose first run kills head's process
    started = 0

    def __init__(self, side: Side) -> None:
        type(self).started += 1
        self.side, self._random = side, random.Random(self.started)

    def __enter__(self) -> Pretended:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def open(self, source: Source) -> None:
        pass

    def opened(self) -> list[str]:
        return list(self.cases)

    def ask(self, do: str, case: str, calls: int = 0, first: int = 0) -> dict[str, Any]:
        if do == "prepare":
            return {"input": "same"}
        self.asked.append((self.side.name, case))
        if (self.side.name, case) == ("head", self.dies_at):
            raise WorkerDied("head: the process was killed by SIGSEGV")
        factor = self.slowdown if (self.side.name, case) == ("head", "a") else 1.0
        return {"ns": round(calls * 1e6 * factor * self._random.lognormvariate(0, self.noise))}


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> type[Pretended]:
    fresh = type("Fresh", (Pretended,), {"asked": []})
    monkeypatch.setattr(run, "Worker", fresh)
    monkeypatch.setattr(run, "PAIRS", 60)
    monkeypatch.setattr(run, "_SAMPLE_NS", 5_000_000)
    return fresh


def both() -> tuple[Side, Side]:
    return Side("base", (), Path()), Side("head", (), Path())


def test_cases_are_interleaved_and_pairs_in_random_order(pretend: type[Pretended]) -> None:
    results = run.compare(*both(), Source(""), seed=3)
    assert [result.verdict for result in results] == [Verdict.passed] * 2
    assert pretend.started == 2 * (1 + 3), "a pair that names the cases, and three that are measured"
    measured = pretend.asked[-2 * 2 * 60 :]
    pairs = [measured[index : index + 2] for index in range(0, len(measured), 2)]
    assert all(first[1] == second[1] and first[0] != second[0] for first, second in pairs)
    assert 30 < sum(first[0] == "base" for first, _ in pairs) < 90
    assert sum(pairs[index][0][1] != pairs[index + 1][0][1] for index in range(len(pairs) - 1)) > 20


def test_a_seed_gives_the_same_order(pretend: type[Pretended]) -> None:
    orders = []
    for _ in range(2):
        pretend.asked.clear()
        run.compare(*both(), Source(""), seed=5)
        orders.append(list(pretend.asked))
    assert orders[0] == orders[1]


def test_the_slower_case_is_named(pretend: type[Pretended]) -> None:
    pretend.slowdown = 1.2
    found = {result.name: result.verdict for result in run.compare(*both(), Source(""))}
    assert found == {"a": Verdict.regression, "b": Verdict.passed}


def test_what_seems_slower_is_measured_again_alone(pretend: type[Pretended]) -> None:
    pretend.slowdown = 1.2
    run.compare(*both(), Source(""))
    assert pretend.started == 2 * (1 + 3 + 3)
    assert {case for _, case in pretend.asked[-3 * 2 * 60 :]} == {"a"}


def test_the_second_measurement_decides(pretend: type[Pretended], monkeypatch: pytest.MonkeyPatch) -> None:
    """As where something else was in the way of head for a while."""
    ask = pretend.ask

    def once(self: Pretended, **request: Any) -> dict[str, Any]:
        self.slowdown = 1.2 if self.started <= 2 * (1 + 3) else 1.0
        return ask(self, **request)

    monkeypatch.setattr(pretend, "ask", once)
    assert [result.verdict for result in run.compare(*both(), Source(""))] == [Verdict.passed] * 2


def test_noise_takes_four_times_as_many_pairs_and_is_then_a_verdict(
    pretend: type[Pretended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_MOST_ROUNDS", 4)
    pretend.noise = 2.0
    results = run.compare(*both(), Source(""))
    assert [result.verdict for result in results] == [Verdict.noisy] * 2
    assert {len(pairs.base) for result in results for pairs in result.pairs} == {240}


def test_where_a_process_dies_the_others_are_measured_anew(pretend: type[Pretended]) -> None:
    pretend.dies_at = "a"
    results = {result.name: result for result in run.compare(*both(), Source(""))}
    assert results["a"].verdict is Verdict.crash
    assert "SIGSEGV" in results["a"].reason
    assert results["b"].verdict is Verdict.passed
    assert Counter(case for _, case in pretend.asked)["a"] <= 2 * 2


def test_only_the_wanted_case_is_measured(pretend: type[Pretended]) -> None:
    (result,) = run.compare(*both(), Source(""), wanted=["b"])
    assert result.name == "b"
    assert {case for _, case in pretend.asked} == {"b"}


def test_different_input_is_no_comparison(pretend: type[Pretended], monkeypatch: pytest.MonkeyPatch) -> None:
    ask = pretend.ask

    def other(self: Pretended, **request: Any) -> dict[str, Any]:
        return {"input": self.side.name} if request["do"] == "prepare" else ask(self, **request)

    monkeypatch.setattr(pretend, "ask", other)
    assert {result.verdict for result in run.compare(*both(), Source(""))} == {Verdict.crash}
