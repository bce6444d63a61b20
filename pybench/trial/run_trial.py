"""Runs one trial: data, fit, predict, metrics. An error in a method ends up in the record; it stops no other trial."""

from __future__ import annotations

import platform
import traceback
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from pybench import registry
from pybench.backbones import feature_cache
from pybench.hashing import derive_seed
from pybench.images.geometry import Geometry
from pybench.images.loading import DecodedImages, fingerprint
from pybench.machine import peak_memory
from pybench.metrics.evaluation.bootstrap import bootstrap_interval
from pybench.metrics.evaluation.curves import curves
from pybench.metrics.evaluation.evaluate import by_defect_type, evaluate
from pybench.ops import dispatch
from pybench.records import Attempt, Outcome, now
from pybench.spec import TrialSpec
from pybench.trial import fitted_states
from pybench.trial.build_method import build_method, unsupported
from pybench.trial.failures import status_and_reason
from pybench.trial.held_out import held_out_scores
from pybench.trial.job import Job
from pybench.trial.mask_alignment import align
from pybench.trial.phase_timer import PhaseTimer
from pybench.trial.predictions import Predictions, predict_all
from pybench.trial.samples import TrialData, load_samples
from pybench.trial.worst_examples import WorstExamples
from pybench.types import Evaluation, InputError


def run_trial(job: Job) -> Outcome:
    """Run a trial. A method that fails gives a ``failed`` record with the reason and the traceback.

    A trial that runs out of memory is run a second time, with one image at a time.
    """
    outcome = _try(job)
    if outcome.record.status != "out_of_memory" or job.batch_size == 1:
        return outcome
    first = outcome.record
    attempt = Attempt(node=platform.node(), started=first.started, ended=first.finished, reason=first.reason)
    return _try(replace(job, batch_size=1)).after([attempt])


def _try(job: Job) -> Outcome:
    started = now()
    try:
        for folder in job.plugins:
            registry.add_plugins(folder)
        return _run(job, started)
    except Exception as error:
        status, reason = status_and_reason(error)
        return Outcome(job.record(status, started, reason=reason, traceback=traceback.format_exc()))


def _run(job: Job, started: str) -> Outcome:
    timer = PhaseTimer()
    peak_memory.reset_peak_memory()
    if reasons := unsupported(job.spec):
        return Outcome(job.record("skipped", started, reason="; ".join(reasons)))
    samples = _samples(job)
    with dispatch.record() as backends, feature_cache.opened(timer.spend) as features:
        with timer("fit"):
            method = build_method(job, "fit", timer.spend)
            method.fit(DecodedImages(samples.train))
        geometry = Geometry.of(method.params)
        worst = WorstExamples(geometry)
        with timer("predict"):
            predictions = predict_all(method, samples.test, job.batch_size, worst)
        with timer("held_out"):
            held_out = held_out_scores(job, samples.train, timer.spend)
    with timer("metrics"):
        evaluation, regions_lost = align(samples.test, predictions, held_out, geometry, job.spec.protocol.evaluate_at)
        results = _results(evaluation, job.spec)
    remarks = [*samples.remarks, *features.remarks]
    if job.keeps_state:
        with timer("keep_state"):
            remarks += filter(None, [fitted_states.keep(job.origin, method.state_dict(), len(samples.train))])
    record = job.record(
        "ok",
        started,
        **results,
        remarks=remarks,
        counts=_counts(samples, evaluation, regions_lost),
        timings=timer.seconds,
        peak_memory_mb=round(peak_memory.peak_memory_mb(), 1),
        backends=dict(backends),
        provenance={**method.provenance(), **features.provenance()},
    )
    return Outcome(record, _arrays(evaluation, predictions), worst.png())


def _samples(job: Job) -> TrialData:
    """The samples of a job, which must be those that the run was planned with."""
    samples = job.samples or load_samples(job.spec, job.data_root)
    if (found := fingerprint([*samples.train, *samples.test])) != job.fingerprint:
        raise InputError(
            f"the data here is not what the run was planned with (fingerprint {found}, planned {job.fingerprint})"
        )
    return samples


def _results(evaluation: Evaluation, spec: TrialSpec) -> dict[str, Any]:
    """The fields of a record that hold metrics."""
    values, undefined = evaluate(evaluation, [registry.load("metric", name) for name in spec.metrics])
    seed = derive_seed(spec.data_seed, spec.dataset, spec.category, "bootstrap")
    with_interval = [name for name in ("image_auroc", "image_ap") if values.get(name) is not None]
    return {
        "metrics": values,
        "undefined": undefined,
        "intervals": {name: bootstrap_interval(evaluation, name, seed=seed) for name in with_interval},
        "by_defect_type": by_defect_type(evaluation),
    }


def _counts(samples: TrialData, evaluation: Evaluation, regions_lost: int) -> dict[str, int]:
    return {
        "train": len(samples.train),
        "test_normal": int((evaluation.labels == 0).sum()),
        "test_anomalous": int((evaluation.labels == 1).sum()),
        "unannotated": sum(mask is None for mask in evaluation.masks),
        "regions_lost": regions_lost,
        "test_labels_read": samples.test_labels_read,
    }


def _arrays(evaluation: Evaluation, predictions: Predictions) -> dict[str, NDArray[Any]]:
    """The arrays that are kept beside a record: labels, scores, curves, and the artefacts that are vectors."""
    arrays: dict[str, NDArray[Any]] = {"labels": evaluation.labels, "scores": evaluation.scores, **curves(evaluation)}
    arrays |= {f"artefact_{name}": values for name, values in predictions.vectors.items()}
    return arrays if evaluation.held_out is None else {**arrays, "held_out": evaluation.held_out}
