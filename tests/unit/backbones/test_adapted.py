"""The backbone that is trained on normal images: what it learns, that it does so once, and goes on when killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pybench.backbones import adapted
from pybench.backbones.adapted import Adapted
from pybench.backbones.adapted_network import LAYERS
from pybench.training import learning_rate, loop
from pybench.training.budget import Budget
from pybench.types import Context, InputError
from tests.conformance.checks import Pictures
from tests.unit.backbones.striped import GEOMETRY, stripes

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where trained networks are kept."""
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "adapted"


@pytest.fixture(autouse=True)
def _short_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search for a learning rate that takes no longer than what these tests train."""
    monkeypatch.setattr(learning_rate, "_STEPS", 4)


def fitted(steps: int = 3, seed: int = 0, layers: tuple[int, ...] = LAYERS, train: Tensor | None = None) -> Adapted:
    backbone = Adapted(layers, budget=Budget(steps=steps), context=Context(seed=seed))
    backbone.fit(Pictures(stripes() if train is None else train), GEOMETRY)
    return backbone


def made(backbone: Adapted) -> dict[str, Any]:
    adaptation: dict[str, Any] = backbone.provenance()["adaptation"]
    return adaptation


def weights(backbone: Adapted) -> Tensor:
    return torch.cat([value.flatten().float() for value in backbone.state_dict()["network"].values()])


@pytest.mark.parametrize("size", [32, 64, 100, 33])
def test_layers_have_the_strides_of_a_resnet(size: int) -> None:
    backbone = Adapted(LAYERS, budget=Budget(steps=1), context=Context())
    shapes = [layer.shape for layer in backbone(torch.rand(2, 3, size, size))]
    assert [shape[2:] for shape in shapes] == [(-(-size // stride),) * 2 for stride in (4, 8, 16)]
    assert [shape[1] for shape in shapes] == [48, 56, 56]


def test_an_image_has_the_same_features_alone_and_beside_others() -> None:
    backbone = fitted()
    images = stripes(3, seed=1)
    for together, alone in zip(backbone(images), backbone(images[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)


def test_it_is_trained_once_for_all_layers_and_methods(cache: Path) -> None:
    first, second = fitted(), fitted(layers=(2, 3))
    assert made(first)["trained_by_this_trial"]
    assert not made(second)["trained_by_this_trial"]
    assert made(first)["steps"] == made(second)["steps"] == 3
    assert made(first)["sha256"] == made(second)["sha256"]
    assert torch.equal(first(stripes(1, seed=2))[1], second(stripes(1, seed=2))[0])
    assert len(list(cache.glob("*.kept"))) == 1


def test_other_images_budgets_and_seeds_are_trained_apart(cache: Path) -> None:
    entries = {made(fitted())["entry"], made(fitted(steps=2))["entry"], made(fitted(seed=1))["entry"]}
    entries.add(made(fitted(train=stripes(6, seed=1)))["entry"])
    assert len(entries) == len(list(cache.glob("*.kept"))) == 4


def _fit_and_tell(results: Any) -> None:
    results.put((os.getpid(), made(fitted(steps=20))))


def test_two_that_ask_at_once_train_it_once() -> None:
    results: Any = FORK.Queue()
    processes = [FORK.Process(target=_fit_and_tell, args=(results,)) for _ in range(2)]
    for process in processes:
        process.start()
    answers = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(30)
    assert sorted(answer["trained_by_this_trial"] for _, answer in answers) == [False, True]
    assert len({answer["sha256"] for _, answer in answers}) == 1


def test_a_killed_training_goes_on_to_the_same_weights(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    process = FORK.Process(target=fitted, args=(40,))
    process.start()
    deadline = time.monotonic() + 120
    while not list(cache.glob("*.underway/adaptation.pt")):
        assert process.exitcode is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline, "no checkpoint within two minutes"
        time.sleep(0.005)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert not list(cache.glob("*.kept"))
    resumed = fitted(40)
    assert 0 < made(resumed)["resumed_at"][0] < 40
    assert not list(cache.glob("*.underway"))
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "another"))
    undisturbed = fitted(40)
    assert made(undisturbed)["resumed_at"] == []
    assert torch.equal(weights(resumed), weights(undisturbed))


def test_a_damaged_entry_is_found_named_and_trained_anew(cache: Path) -> None:
    before = fitted()
    (file,) = cache.glob("*.kept")
    raw = bytearray(file.read_bytes())
    raw[-100] ^= 1
    file.write_bytes(raw)
    lines: list[str] = []
    backbone = Adapted(LAYERS, budget=Budget(steps=3), context=Context(report=lines.append))
    backbone.fit(Pictures(stripes()), GEOMETRY)
    assert f"{file} is damaged; made anew" in lines
    assert made(backbone)["took_the_place_of_damaged"] == str(file)
    assert made(backbone)["trained_by_this_trial"]
    assert torch.equal(weights(before), weights(backbone))
    assert not made(fitted())["trained_by_this_trial"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"file/adapted/\w+\.lock: cannot be written"):
        fitted()


def test_changed_code_trains_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = made(fitted())["entry"]
    monkeypatch.setattr(adapted, "hash_with_imports", lambda file: "0" * 16)
    assert made(fitted())["entry"] != before


def test_what_it_costs_is_told_apart() -> None:
    spent: list[tuple[str, float]] = []
    context = Context(spend=lambda name, seconds: spent.append((name, seconds)))
    Adapted(LAYERS, budget=Budget(steps=2), context=context).fit(Pictures(stripes()), GEOMETRY)
    ((name, seconds),) = spent
    assert name == "adaptation"
    assert seconds > 0
