"""Which implementation runs, what ``record`` names, and why another cannot run."""

import contextvars
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

import pybench
from pybench.ops import backends, dispatch, mutual_match, record
from pybench.ops.dispatch import Implementation, Op
from pybench.types import InputError


@pytest.fixture
def op(monkeypatch: pytest.MonkeyPatch) -> Op:
    """An op whose fast backend takes even numbers only, and whose best one is not there."""
    monkeypatch.setattr(dispatch, "_registry", {})
    return Op(
        "halve",
        [
            Implementation("absent", lambda value: value, unavailable=lambda: "no such device"),
            Implementation("fast", lambda value: value // 2, unsuited=lambda value: "it is odd" if value % 2 else ""),
            Implementation("reference", lambda value: value / 2),
        ],
    )


def test_auto_takes_the_best_that_can(op: Op) -> None:
    with record() as used:
        assert op("auto", 4) == 2
    assert used == {"halve": "fast"}
    with record() as used:
        assert op("auto", 5) == 2.5
    assert used == {"halve": "reference"}


def test_a_forced_backend_never_falls_back(op: Op) -> None:
    assert op("reference", 4) == 2.0
    with pytest.raises(InputError, match="halve cannot run with backend 'fast': fast: it is odd"):
        op("fast", 5)
    with pytest.raises(InputError, match="absent: no such device"):
        op("absent", 4)
    with pytest.raises(InputError, match="halve has no backend 'gpu'; it has: auto, absent, fast, reference"):
        op("gpu", 4)


def test_all_reasons_are_given_when_nothing_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_registry", {})
    never = Op("never", [Implementation(name, str, lambda name=name: f"no {name}") for name in ("one", "two")])
    with pytest.raises(InputError, match="one: no one; two: no two"):
        never("auto")


def test_backends_lists_reasons(op: Op) -> None:
    assert backends() == {"halve": {"absent": "no such device", "fast": "", "reference": ""}}


def test_records_nest_and_join_backends(op: Op) -> None:
    with record() as outer:
        op("auto", 4)
        with record() as inner:
            op("auto", 3)
        with pytest.raises(InputError):
            op("fast", 3)
    op("reference", 4)
    assert inner == {"halve": "reference"}
    assert outer == {"halve": "fast+reference"}


def test_records_of_threads_do_not_mix(op: Op) -> None:
    own: dict[str, str] = {}

    def elsewhere() -> None:
        with record() as used:
            op("reference", 4)
        own.update(used)

    with record() as used:
        op("fast", 4)
        thread = threading.Thread(target=contextvars.Context().run, args=(elsewhere,))
        thread.start()
        thread.join()
        assert used == {"halve": "fast"}
        contextvars.copy_context().run(op, "reference", 4)
    assert own == {"halve": "reference"}
    assert used == {"halve": "fast+reference"}


@pytest.fixture
def without_extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pybench._cpu", None)
    monkeypatch.delattr(pybench, "_cpu", raising=False)
    dispatch._simd_levels.cache_clear()
    yield
    dispatch._simd_levels.cache_clear()


@pytest.mark.usefixtures("without_extension")
def test_without_the_extension_the_reference_runs() -> None:
    ones = torch.ones(1, 2, 3, 3)
    with record() as used:
        mutual_match(ones, ones, 3, 3)
    assert used == {"mutual_match": "reference"}
    with pytest.raises(InputError, match=r"portable: the extension pybench\._cpu is not installed"):
        mutual_match(ones, ones, 3, 3, "portable")


def test_mutual_match_says_what_ran() -> None:
    ones = torch.ones(1, 2, 3, 3)
    best = next(name for name, reason in backends()["mutual_match"].items() if not reason)
    for tensors, backend, expected in (
        (ones, "auto", best),
        (ones, "portable", "portable"),
        (ones.double(), "auto", "reference"),
    ):
        with record() as used:
            mutual_match(tensors, tensors, 3, 3, backend)
        assert used == {"mutual_match": expected}
