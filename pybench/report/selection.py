"""Which detector of a run to take: the best by one metric of those that meet constraints on latency and memory.

A detector is a column of the result table: a method with parameters and resources.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pybench import registry
from pybench.machine.environment import machine
from pybench.records import Latency, Record, Result
from pybench.report import notes
from pybench.report.names import (
    STATUS_WORDS,
    UNDEFINED,
    choose_metrics,
    differing,
    higher_is_better,
    listed,
    metric_words,
)
from pybench.report.summary import Cell, Seed, column_key, columns_of, distinct_latencies, grouped, table_values
from pybench.results import pareto
from pybench.results.constraints import QUANTITIES, Constraint, intervals_of, quantities_of
from pybench.results.flat import flatten
from pybench.spec import TrialSpec
from pybench.types import InputError

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Detector:
    """One method with one set of parameters and resources, as something to choose.

    ``value`` is the metric's mean in percent and ``by_seed`` that of each complete seed; ``measured`` are the
    quantities of ``constraints.QUANTITIES`` with their 95 % ``intervals``, empty if latency was not measured. ``unfit``
    is the reason why it cannot be chosen, whatever the constraints. ``broken`` constraints are exceeded; ``uncertain``
    ones are met by the measured value, but not by the upper end of its interval.
    """

    label: str
    spec: TrialSpec
    value: Cell
    by_seed: Mapping[Seed, float]
    latencies: tuple[Latency, ...]
    measured: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    unfit: str
    broken: tuple[Constraint, ...]
    uncertain: tuple[Constraint, ...]
    in_front: bool = False

    @property
    def fits(self) -> bool:
        """Whether it may be chosen."""
        return not self.unfit and not self.broken

    @property
    def flags(self) -> list[str]:
        """What was flagged about the measurement of its latency."""
        return list(dict.fromkeys(flag for latency in self.latencies for flag in latency.flags))


@dataclass(frozen=True)
class Margin:
    """How much better the best is than the runner-up, in percentage points.

    ``interval`` is the 95 % interval of the mean difference over ``seeds`` seeds that both have (Student's t of the
    differences seed by seed); None below two seeds.
    """

    runner_up: Detector
    points: float
    seeds: int
    interval: tuple[float, float] | None

    @property
    def tells_apart(self) -> bool | None:
        """Whether the seeds agree on which is better; None where there are too few to know."""
        return None if self.interval is None else self.interval[0] > 0


@dataclass(frozen=True)
class Selection:
    """The detectors of one result table, from the best to those that cannot be chosen.

    ``best`` is None if none meets the constraints; ``closest`` is then the one that exceeds them by the smallest share,
    if any was measured. ``unconstrained`` would be the best without constraints.
    """

    title: str
    facts: list[str]
    place: str  # dataset, profile, and what else sets this table apart from the run's others
    metric: str
    higher_is_better: bool
    constraints: tuple[Constraint, ...]
    detectors: tuple[Detector, ...]
    best: Detector | None
    margin: Margin | None
    closest: Detector | None
    unconstrained: Detector | None
    notes: list[str]


def selections(results: Sequence[Result], metric: str, constraints: Sequence[Constraint]) -> list[Selection]:
    """One selection per table of a run: per suite, dataset, profile and protocol.

    Raises:
        InputError: the metric was not computed in any trial, or is not known here, so that nobody can say which way it
            is better.
    """
    choose_metrics(list(dict.fromkeys(name for result in results for name in result.record.spec.metrics)), [metric])
    if metric not in registry.names("metric"):
        raise InputError(f"{metric}: not installed here, so which way it is better is not known; give its --plugins")
    groups = grouped(results)
    places = _places([group[0].record.spec for group in groups])
    return [_select(group, metric, tuple(constraints), place) for group, place in zip(groups, places, strict=True)]


def _places(specs: Sequence[TrialSpec]) -> list[str]:
    """What the tables are of; where dataset and profile do not tell, as ``--filter`` takes it."""
    fields = {"suite", "dataset_options", "rto", "protocol"}
    settings = [flatten(spec.model_dump(mode="json", include=fields)) for spec in specs]
    kinds = [(spec.dataset, spec.profile) for spec in specs]
    names = differing(settings) if len(set(kinds)) < len(kinds) else []
    return [
        f"{dataset} ({', '.join([f'{profile} profile', *(f'{name}={setting.get(name)}' for name in names)])})"
        for (dataset, profile), setting in zip(kinds, settings, strict=True)
    ]


def _select(results: Sequence[Result], metric: str, constraints: tuple[Constraint, ...], place: str) -> Selection:
    records, higher = [result.record for result in results], higher_is_better(metric)
    detectors, mean_notes = _detectors(results, metric, constraints)
    detectors = sorted(_with_front(detectors, higher), key=lambda one: _rank(one, higher), reverse=True)
    fitting = [detector for detector in detectors if detector.fits]
    near = [detector for detector in detectors if not detector.unfit]
    best = fitting[0] if fitting else None
    return Selection(
        title=notes.title(records),
        facts=notes.facts(records),
        place=place,
        metric=metric,
        higher_is_better=higher,
        constraints=constraints,
        detectors=tuple(detectors),
        best=best,
        margin=_margin(fitting[0], fitting[1], higher) if len(fitting) > 1 else None,
        closest=None if best else min(near, key=_worst_share, default=None),
        unconstrained=max(near, key=lambda one: _goodness(one, higher), default=None),
        notes=[
            *_as_good_and_faster(fitting, higher),
            *_chosen_on(records),
            *mean_notes,
            *_measurement_notes(detectors),
            *_stale_latencies(results),
            *_seed_notes(near),
        ],
    )


def _detectors(
    results: Sequence[Result], metric: str, constraints: tuple[Constraint, ...]
) -> tuple[list[Detector], list[str]]:
    """The columns of a table as detectors, and the notes on their means.

    Means are over the categories in which all detectors that can be chosen have a value.
    """
    columns = columns_of(result.record.spec for result in results)
    own = {column.key: [r for r in results if column_key(r.record.spec) == column.key] for column in columns}
    there = {result.record.spec.category for result in results if result.record.metrics.get(metric) is not None}
    unfit = {key: _lacking([r.record for r in of_column], metric, there) for key, of_column in own.items()}
    ranked = [column for column in columns if not unfit[column.key]]
    values = table_values([r.record for column in ranked for r in own[column.key]], [metric], ranked)
    detectors = []
    for column in columns:
        latencies = distinct_latencies(own[column.key])
        measured = quantities_of(latencies) if latencies else {}
        intervals = intervals_of(latencies) if latencies else {}
        value = values.means.get((column.key, metric), Cell(text=UNDEFINED))
        reason = unfit[column.key]
        if not reason and value.value is None:
            reason = f"no category has {' '.join(metric_words(metric))} of every candidate"
        if not reason and constraints and not latencies:
            reason = "latency was not measured"
        can_break = [constraint for constraint in constraints if constraint.quantity in measured]
        detectors.append(
            Detector(
                label=column.label,
                spec=own[column.key][0].record.spec,
                value=value,
                by_seed=values.by_seed.get((column.key, metric), {}),
                latencies=tuple(latencies),
                measured=measured,
                intervals=intervals,
                unfit=reason,
                broken=tuple(one for one in can_break if one.excess(measured) > 0),
                uncertain=tuple(one for one in can_break if _is_uncertain(one, measured, intervals)),
            )
        )
    return detectors, values.notes


def _lacking(records: Sequence[Record], metric: str, there: set[str]) -> str:
    """Why a detector cannot be ranked: a trial failed, or has no value in a category in which another has one."""
    failed = [record for record in records if record.status not in ("ok", "skipped")]
    if failed:
        first = failed[0]
        reason = f"{STATUS_WORDS[first.status]}: {notes.first_line(first.reason)}"
        return f"{len(failed)} of {len(records)} trials {reason}"
    without = [record for record in records if record.metrics.get(metric) is None]
    missed = [record for record in without if record.spec.category in there] or (without if not there else [])
    if not missed:
        return ""
    first = missed[0]
    why = first.undefined.get(metric) or notes.first_line(first.reason or "not computed")
    return f"{' '.join(metric_words(metric))} undefined in {len(missed)} of {len(records)} trials: {why}"


def _is_uncertain(
    constraint: Constraint, measured: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]
) -> bool:
    upper = {name: interval[1] for name, interval in intervals.items()}
    return constraint.quantity in upper and constraint.excess(measured) <= 0 < constraint.excess(upper)


def _with_front(detectors: Sequence[Detector], higher: bool) -> list[Detector]:
    """Marks those that no other beats in the metric as it is shown, p95 and memory together, without constraints."""
    able = [i for i, one in enumerate(detectors) if one.value.value is not None and one.measured]
    found = pareto.front([_goodness(detectors[i], higher)[:3] for i in able])
    front = {able[position] for position in found}
    return [replace(detector, in_front=i in front) for i, detector in enumerate(detectors)]


def _goodness(detector: Detector, higher: bool) -> tuple[float, float, float, float]:
    """More is better: the metric as it is shown, p95, memory, the metric in full. So of what looks equal the fastest is
    the better."""
    sign = 1 if higher else -1
    value, rounded = detector.value.value, detector.value.rounded
    if value is None or rounded is None:
        value = rounded = -sign * math.inf
    speed, size = (-detector.measured.get(name, math.inf) for name in ("latency_p95_ms", "peak_memory_mb"))
    return sign * rounded, speed, size, sign * value


def _rank(detector: Detector, higher: bool) -> tuple[bool, bool, tuple[float, ...]]:
    return detector.fits, not detector.unfit, _goodness(detector, higher)


def _worst_share(detector: Detector) -> float:
    return max((broken.excess(detector.measured) / broken.bound for broken in detector.broken), default=0.0)


def _margin(best: Detector, other: Detector, higher: bool) -> Margin:
    sign = 1 if higher else -1
    assert best.value.value is not None
    assert other.value.value is not None
    seeds = [seed for seed in best.by_seed if seed in other.by_seed]
    differences = [sign * (best.by_seed[seed] - other.by_seed[seed]) for seed in seeds]
    points = sign * (best.value.value - other.value.value)
    return Margin(other, points, len(seeds), _mean_interval(differences) if len(seeds) > 1 else None)


def _mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's t interval of a mean."""
    from scipy.special import stdtrit

    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    reach = float(stdtrit(len(values) - 1, (1 + _CONFIDENCE) / 2)) * error
    return mean - reach, mean + reach


def _as_good_and_faster(fitting: Sequence[Detector], higher: bool) -> list[str]:
    """A note on detectors that are faster than the best, and that the seeds do not distinguish from it."""
    p95 = "latency_p95_ms"
    found = [
        f"{one.label} (p95 {one.measured[p95]:.3g} instead of {fitting[0].measured[p95]:.3g} ms)"
        for one in fitting[1:]
        if one.measured and one.measured[p95] < fitting[0].measured.get(p95, -math.inf)
        if _margin(fitting[0], one, higher).tells_apart is False
    ]
    return [f"faster, and not told apart from the best by the seeds: {listed(found)}"] if found else []


def _chosen_on(records: Sequence[Record]) -> list[str]:
    """On which data the choice was made, which a reader must know before trusting its number."""
    notes_on = {
        "test": "chosen by test labels: the best looks better here than on new images, the more so of many candidates",
        "validation": "chosen on validation data made of normal images, no test label",
        "oracle": "! ORACLE: hyper-parameters were chosen by these test labels; no number here is a result",
    }
    return [notes_on[kind] for kind in dict.fromkeys(record.spec.evaluate_on for record in records)]


def _measurement_notes(detectors: Sequence[Detector]) -> list[str]:
    """What keeps latencies from being compared, and which of several measurements counts."""
    latencies = [latency for detector in detectors for latency in detector.latencies]
    found = notes.latency_notes(latencies)
    several = [detector for detector in detectors if len(detector.latencies) > 1]
    for detector in several:
        slowest = max(detector.latencies, key=QUANTITIES["latency_p95_ms"])
        where = f"{slowest.dataset}/{slowest.category} at {slowest.image_width}x{slowest.image_height}"
        found.append(f"{detector.label}: the slowest of {len(detector.latencies)} latencies counts, on {where}")
    machines: dict[str, list[str]] = {}
    for detector in detectors:
        for latency in detector.latencies:
            machines.setdefault(machine(latency.manifest) or "an unknown machine", []).append(detector.label)
    if len(machines) > 1:
        places = "; ".join(f"{name} ({listed(labels, limit=3)})" for name, labels in machines.items())
        found.append(f"! latencies of different machines are not comparable: {places}")
    return found


def _stale_latencies(results: Sequence[Result]) -> list[str]:
    stale = [r.record.spec.method for r in results if r.latency and r.latency.code_version != r.record.code_version]
    return [f"! latency was measured with other code than the trials ({listed(stale)})"] if stale else []


def _seed_notes(detectors: Sequence[Detector]) -> list[str]:
    seeds = [frozenset(detector.by_seed) for detector in detectors]
    return ["! not all candidates have results of the same seeds"] if len(set(seeds)) > 1 else []
