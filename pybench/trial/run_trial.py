"""Runs one trial: data, fit, predict, metrics; whatever a method does wrong ends up in the record, not in a crash."""

from __future__ import annotations

import contextlib
import math
import platform
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pybench import registry
from pybench.backbones import feature_cache
from pybench.hashing import derive_seed
from pybench.images.geometry import Geometry
from pybench.images.loading import DecodedImages, fingerprint, read_defects, read_mask
from pybench.machine import peak_memory
from pybench.machine.environment import environment
from pybench.metrics._bootstrap import bootstrap_interval
from pybench.metrics._curves import curves
from pybench.metrics._evaluate import by_defect_type, evaluate
from pybench.ops import dispatch
from pybench.ops.regions import connected_regions
from pybench.planning import strict_yaml
from pybench.records import Attempt, Outcome, Record, Status, TrialSpec
from pybench.training.loop import TrainingError
from pybench.trial import fitted_states, progress_file
from pybench.trial.samples import TrialData, load_samples
from pybench.trial.worst_examples import Gallery
from pybench.types import Context, Evaluation, InputError, Method, Prediction, Region, Sample

BATCH = 8  # test images a call of predict; results must not depend on it


class MethodError(Exception):
    """A method broke the contract: NaN, a wrong shape."""


@dataclass(frozen=True)
class Job:
    """A trial as it travels to a worker: the spec and where the worker finds data and plug-ins.

    ``underway`` is a folder for checkpoints and a line on how far the trial is; None keeps neither. ``minutes`` is how
    long it may run, where its executor can stop it; ``batch`` is how many images it predicts at once. ``gpus`` and
    ``memory_gb`` are what it asks a cluster for, None what its method says. ``samples`` are the spec's where they are
    at hand already; they are of the fingerprint's data. ``keeps_state`` leaves the fitted state on its machine, for a
    latency measurement.
    """

    spec: TrialSpec
    data_root: Path | None
    plugins: tuple[Path, ...]
    fingerprint: str
    code_version: str
    assets: dict[str, str]
    underway: Path | None = None
    minutes: float = math.inf
    batch: int = BATCH
    gpus: float | None = None
    memory_gb: float | None = None
    samples: TrialData | None = None
    keeps_state: bool = False

    @property
    def origin(self) -> fitted_states.Origin:
        """Of the state that it fits."""
        return fitted_states.Origin(self.spec, self.fingerprint, self.code_version, self.assets)


def run_trial(job: Job) -> Outcome:
    """Run a trial; a method's failure gives a ``failed`` record with the reason and the traceback.

    Where memory runs out, it is run once more with one image at a time.
    """
    outcome = _try(job)
    if outcome.record.status != "out_of_memory" or job.batch == 1:
        return outcome
    first = outcome.record
    attempt = Attempt(node=platform.node(), started=first.started, ended=first.finished, reason=first.reason)
    return _try(replace(job, batch=1)).after([attempt])


def _try(job: Job) -> Outcome:
    started = now()
    try:
        for folder in job.plugins:
            registry.add_plugins(folder)
        return _run(job, started)
    except Exception as error:
        return Outcome(unfinished(job, started, *how_it_failed(error), traceback.format_exc()))


def how_it_failed(error: Exception) -> tuple[Status, str]:
    """Status and reason of what ended with this error."""
    expected = isinstance(error, InputError | MethodError | TrainingError)
    reason = str(error) if expected else f"{type(error).__name__}: {error}"
    # Torch has an error of its own for a GPU's memory, and a plain one for the machine's.
    is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    is_memory |= isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return "out_of_memory" if is_memory else "failed", reason


def unfinished(job: Job, started: str, status: Status, reason: str, trace: str = "") -> Record:
    """The record of a trial that gave no result."""
    return Record(
        key=job.spec.key(),
        spec=job.spec,
        status=status,
        reason=reason,
        traceback=trace,
        fingerprint=job.fingerprint,
        code_version=job.code_version,
        assets=job.assets,
        environment=environment(),
        started=started,
        finished=now(),
    )


def now() -> str:
    """The present moment in UTC, to the millisecond, as in records."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def build_method(job: Job, fit: str | None = None, spend: Callable[[str, float], None] | None = None) -> Method:
    """A fresh method with a spec's parameters, and this process's threads and seeds set for it.

    ``fit`` names its checkpoints among those of the trial; None keeps none. ``spend`` is the context's.
    """
    spec = job.spec
    torch.set_num_threads(spec.resources.threads)
    torch.manual_seed(spec.seed)
    cls: type[Method] = registry.load("method", spec.method)
    params = strict_yaml.validate(cls.Params, spec.params)
    context = Context(spec.resources.device, spec.seed, spec.resources.backend)
    if job.underway is not None and fit is not None:
        context = replace(context, checkpoints=job.underway / fit, report=progress_file.reporter(job.underway, fit))
    if spend is not None:
        context = replace(context, spend=spend)
    return cls(params, context)


def _run(job: Job, started: str) -> Outcome:
    spec, timer = job.spec, _Timer()
    peak_memory.reset_peak_memory()
    cls: type[Method] = registry.load("method", spec.method)
    reasons = cls.unsupported(strict_yaml.validate(cls.Params, spec.params), spec.resources.device)
    if reasons:
        return Outcome(unfinished(job, started, "skipped", "; ".join(reasons)))
    samples = job.samples or load_samples(spec, job.data_root)
    if (seen := fingerprint([*samples.train, *samples.test])) != job.fingerprint:
        raise InputError(
            f"the data here is not what the run was planned with (fingerprint {seen}, planned {job.fingerprint})"
        )
    train = DecodedImages(samples.train)
    with dispatch.record() as backends, feature_cache.opened(timer.spend) as features:
        with timer("fit"):
            method = build_method(job, "fit", timer.spend)
            method.fit(train)
        gallery = Gallery(Geometry.of(method.params))
        with timer("predict"):
            predictions = _predict(method, samples.test, job.batch, gallery)
        with timer("held_out"):
            held_out = _held_out(job, samples.train, timer.spend)
    with timer("metrics"):
        evaluation, lost = _meet_masks(spec, samples.test, predictions, held_out, Geometry.of(method.params))
        metrics = [registry.load("metric", name) for name in spec.metrics]
        values, undefined = evaluate(evaluation, metrics)
        intervals = _intervals(evaluation, values, spec)
        types = by_defect_type(evaluation)
    remarks = [*samples.remarks, *features.remarks]
    if job.keeps_state:
        with timer("keep_state"):
            remarks += filter(None, [fitted_states.keep(job.origin, method.state_dict(), len(train))])
    labels = evaluation.labels
    record = Record(
        key=spec.key(),
        spec=spec,
        status="ok",
        metrics=values,
        undefined=undefined,
        by_defect_type=types,
        intervals=intervals,
        remarks=remarks,
        counts={
            "train": len(train),
            "test_normal": int((labels == 0).sum()),
            "test_anomalous": int((labels == 1).sum()),
            "unannotated": sum(mask is None for mask in evaluation.masks),
            "regions_lost": lost,
            "test_labels_read": samples.test_labels_read,
        },
        timings=timer.seconds,
        peak_memory_mb=round(peak_memory.peak_memory_mb(), 1),
        backends=dict(backends),
        provenance={**method.provenance(), **features.provenance()},
        assets=job.assets,
        fingerprint=job.fingerprint,
        code_version=job.code_version,
        environment=environment(),
        started=started,
        finished=now(),
    )
    arrays: dict[str, NDArray[Any]] = {"labels": labels, "scores": evaluation.scores, **curves(evaluation)}
    arrays |= {f"artefact_{name}": values for name, values in predictions.vectors.items()}
    return Outcome(record, arrays if held_out is None else {**arrays, "held_out": held_out}, gallery.png())


@dataclass(frozen=True)
class _Predictions:
    """Scores [N], maps (N of [S, S], or None), the images' own shapes and the artefacts that are vectors ([N, K] by
    name), in the order of the samples."""

    scores: NDArray[np.float64]
    maps: list[NDArray[np.float32]] | None
    shapes: list[tuple[int, int]]
    vectors: dict[str, NDArray[np.float32]]


def _predict(
    method: Method, samples: Sequence[Sample], batch_size: int, gallery: Gallery | None = None
) -> _Predictions:
    scores: list[NDArray[np.float64]] = []
    vectors: dict[str, list[NDArray[np.float32]]] = {}
    maps: list[NDArray[np.float32]] = []
    shapes: list[tuple[int, int]] = []
    for batch in DecodedImages(samples).batches(batch_size):
        prediction = method.predict(batch)
        _check(prediction, len(batch), method.params.input_size)
        if gallery is not None:
            gallery.add(samples[len(shapes) : len(shapes) + len(batch)], batch, prediction)
        scores.append(prediction.scores.detach().cpu().numpy().astype(np.float64))
        shapes.extend([(batch.shape[-2], batch.shape[-1])] * len(batch))
        if prediction.maps is not None:
            maps.extend(prediction.maps.detach().cpu().numpy().astype(np.float32))
        for name, values in prediction.artefacts.items():
            if values.ndim == 2:
                vectors.setdefault(name, []).append(values.detach().cpu().numpy().astype(np.float32))
    if maps and len(maps) != len(samples):
        raise MethodError(
            f"predict gave a score map for {len(maps)} of {len(samples)} images; it must for all or for none"
        )
    joined = {name: np.concatenate(parts) for name, parts in vectors.items()}
    return _Predictions(np.concatenate(scores), maps or None, shapes, joined)


def _check(prediction: Prediction, batch: int, size: int) -> None:
    parts = [("scores", prediction.scores, (batch,)), ("maps", prediction.maps, (batch, size, size))]
    for name, artefact in prediction.artefacts.items():
        ends = artefact.shape[1:] if artefact.ndim == 2 else (3, *artefact.shape[2:4])
        parts.append((f"the artefact {name}", artefact, (batch, *ends)))
    for name, values, shape in parts:
        if values is None:
            continue
        if tuple(values.shape) != shape:
            raise MethodError(f"predict returned {name} of shape {list(values.shape)}; expected {list(shape)}")
        bad = int((~torch.isfinite(values)).sum())
        if bad:
            raise MethodError(f"predict returned NaN or infinity in {bad} of {values.numel()} values of {name}")


def _held_out(job: Job, train: Sequence[Sample], spend: Callable[[str, float], None]) -> NDArray[np.float64] | None:
    """Scores of the normal images, each by a method that was fitted without it (K-fold); None without folds."""
    spec = job.spec
    folds = min(spec.protocol.threshold_folds, len(train))
    if folds < 2:
        return None
    order = (
        np.random.default_rng(derive_seed(spec.data_seed, spec.dataset, spec.category, "folds"))
        .permutation(len(train))
        .tolist()
    )
    scores = np.empty(len(train))
    for fold in range(folds):
        out = order[fold::folds]
        method = build_method(job, f"fold-{fold + 1}-of-{folds}", spend)
        method.fit(DecodedImages([train[index] for index in order if index not in out]))
        scores[out] = _predict(method, [train[index] for index in out], job.batch).scores
    return scores


def _meet_masks(
    spec: TrialSpec,
    samples: Sequence[Sample],
    predictions: _Predictions,
    held_out: NDArray[np.float64] | None,
    geometry: Geometry,
) -> tuple[Evaluation, int]:
    """Masks and maps at the size that the protocol names, and the number of defective regions that were lost by it.

    The share of a region that must be found for a full score (sPRO) stays what it is at the image's own size.
    """
    masks: list[NDArray[np.bool_] | None] = []
    regions: list[tuple[Region, ...]] = []
    lost = 0
    for sample, shape in zip(samples, predictions.shapes, strict=True):
        mask, defects = read_mask(sample, shape), read_defects(sample, shape)
        if mask is not None and spec.protocol.evaluate_at == "input":
            mask, gone = _to_input(mask, geometry)
            defects = [(geometry.labels_to_input(defect), share) for defect, share in defects]
            lost += sum(not defect.any() for defect, _ in defects) if defects else gone
        pixels = [(np.flatnonzero(defect), share) for defect, share in defects]
        regions.append(tuple(Region(found, share * found.size) for found, share in pixels if found.size))
        # An annotation without a pixel left cannot tell which are defective: the image counts for image metrics only.
        masks.append(None if mask is not None and sample.label and not mask.any() else mask)
    maps = predictions.maps
    if maps is not None and spec.protocol.evaluate_at == "image":
        maps = [geometry.map_to_image(map_, *shape) for map_, shape in zip(maps, predictions.shapes, strict=True)]
    return Evaluation(
        labels=np.array([sample.label for sample in samples], np.int64),
        scores=predictions.scores,
        defect_types=tuple(sample.defect_type for sample in samples),
        masks=tuple(masks),
        maps=None if maps is None else tuple(maps),
        held_out=held_out,
        regions=tuple(regions) if any(sample.saturations for sample in samples) else None,
    ), lost


def _to_input(mask: NDArray[np.bool_], geometry: Geometry) -> tuple[NDArray[np.bool_], int]:
    """A mask at the model's input size, and how many of its regions have no pixel there."""
    regions, counts = connected_regions(mask[None])
    small = geometry.labels_to_input(regions[0])
    return small > 0, int(counts[0]) - len(np.unique(small[small > 0]))


def _intervals(
    evaluation: Evaluation, values: dict[str, float | None], spec: TrialSpec
) -> dict[str, tuple[float, float]]:
    seed = derive_seed(spec.data_seed, spec.dataset, spec.category, "bootstrap")
    wanted = [name for name in ("image_auroc", "image_ap") if values.get(name) is not None]
    return {name: bootstrap_interval(evaluation, name, seed=seed) for name in wanted}


class _Timer:
    """Wall-clock seconds by phase. What is spent on a name of its own does not count for the phase around it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._apart = 0.0

    @contextlib.contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        before, self._apart = time.perf_counter(), 0.0
        yield
        self.seconds[phase] = round(time.perf_counter() - before - self._apart, 4)

    def spend(self, name: str, seconds: float) -> None:
        """Seconds of the phase under way that count under another name."""
        self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 4)
        self._apart += seconds
