"""Scores of held-out training images: each from a method that was fitted without the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pybench.spec import Protocol, TrialSpec
from pybench.trial import held_out
from pybench.trial.held_out import held_out_scores
from pybench.trial.job import Job
from pybench.types import Citation, Context, Images, Method, MethodParams, Prediction, Sample
from tests.unit.pictures import save

MakeSpec = Callable[..., TrialSpec]


def grey_samples(folder: Path, greys: list[int]) -> list[Sample]:
    return [Sample(save(folder / f"{grey}.png", np.full((32, 32, 3), grey))) for grey in greys]


def job(spec: TrialSpec, folds: int) -> Job:
    return Job(spec.model_copy(update={"protocol": Protocol(threshold_folds=folds)}), None, (), "", "", {})


def unused(name: str, seconds: float) -> None:
    raise AssertionError(f"{name} was reported")


class Recording(Method):
    """Keeps the greys that it was fitted on and those that it predicted; its scores are the greys."""

    name, Params, paper = "recording", MethodParams, Citation("none", "the tests", 2026)

    def fit(self, train: Images) -> None:
        self.fitted = [round(255 * float(image.mean())) for image in train]
        self.predicted: list[int] = []

    def predict(self, images: Tensor) -> Prediction:
        greys = (255 * images.mean((1, 2, 3))).round()
        self.predicted += greys.int().tolist()
        return Prediction(greys, None)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Recording]]:
    """The methods that are built, with the names of their fits."""
    made: list[tuple[str, Recording]] = []

    def build(job: Job, fit: str, spend: Callable[[str, float], None]) -> Recording:
        made.append((fit, Recording(MethodParams(), Context())))
        return made[-1][1]

    monkeypatch.setattr(held_out, "build_method", build)
    return made


def test_each_score_is_of_a_method_that_has_not_seen_the_image(make_spec: MakeSpec, tmp_path: Path) -> None:
    """With as many folds as images: greys 0, 90 and 180, minus the mean of the two others, 135, 90 and 45."""
    scores = held_out_scores(job(make_spec(), folds=10), grey_samples(tmp_path, [0, 90, 180]), unused)
    assert scores is not None
    assert scores * 255 == pytest.approx([135, 0, 135], abs=1e-3)


def test_every_image_is_held_out_once(make_spec: MakeSpec, tmp_path: Path, built: list[tuple[str, Recording]]) -> None:
    greys = [10, 20, 30, 40, 50]
    scores = held_out_scores(job(make_spec(), folds=2), grey_samples(tmp_path, greys), unused)
    assert scores is not None
    assert scores.tolist() == greys, "in the order of the samples"
    assert [fit for fit, _ in built] == ["fold-1-of-2", "fold-2-of-2"]
    assert [len(method.predicted) for _, method in built] == [3, 2]
    for _, method in built:
        assert sorted(method.fitted + method.predicted) == greys


def test_folds_depend_on_the_data_seed_and_not_on_the_trials_own(
    make_spec: MakeSpec, tmp_path: Path, built: list[tuple[str, Recording]]
) -> None:
    samples = grey_samples(tmp_path, list(range(10, 90, 10)))
    for changes in ({}, {"seed": 7}, {"data_seed": 1}):
        held_out_scores(job(make_spec(**changes), folds=2), samples, unused)
    first, other_seed, other_data_seed = (method.predicted for _, method in built[::2])
    assert first == other_seed
    assert first != other_data_seed


@pytest.mark.parametrize(("folds", "images"), [(0, 3), (1, 3), (5, 1)])
def test_fewer_than_two_folds_give_no_scores(
    make_spec: MakeSpec, tmp_path: Path, built: list[tuple[str, Recording]], folds: int, images: int
) -> None:
    samples = grey_samples(tmp_path, list(range(10, 10 * images + 10, 10)))
    assert held_out_scores(job(make_spec(), folds), samples, unused) is None
    assert not built


def test_what_a_fit_spends_is_reported(make_spec: MakeSpec, tmp_path: Path) -> None:
    spent: list[tuple[str, float]] = []
    samples = grey_samples(tmp_path, [10, 20])
    scores = held_out_scores(
        job(make_spec(method="spends"), folds=2), samples, lambda name, seconds: spent.append((name, seconds))
    )
    assert scores is not None
    assert spent == [("sharpening", 100.0)] * 2


def test_each_fold_begins_with_the_seed_of_the_trial(make_spec: MakeSpec, tmp_path: Path) -> None:
    held_out_scores(job(make_spec(seed=3), folds=2), grey_samples(tmp_path, [10, 20]), unused)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1)), "the method draws nothing, so the state is that after the last build"
