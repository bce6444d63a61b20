"""The words around a result table: its title, the facts under the title, and the footnotes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from pybench.backbones.names import title as network_title
from pybench.machine.environment import machine
from pybench.records import Latency, LatencyFailure, Record
from pybench.report.names import STATUS_WORDS, UNDEFINED, listed, metric_words
from pybench.spec import Protocol, RtoOptions


def title(records: Sequence[Record]) -> str:
    """Names suite, dataset, profile and the backbones' weights; a backbone that has none is named itself."""
    spec = records[0].spec
    features = _values(_origin(record.spec.params) for record in records)
    parts = [f"{spec.suite}: {spec.dataset}", f"{spec.profile} profile", *([features] if features else [])]
    return ", ".join(parts)


def facts(records: Sequence[Record]) -> list[str]:
    """What all trials of a table share: seeds, protocol, backbone, resources and machine."""
    spec = records[0].spec
    data = [_seeds("data", (record.spec.data_seed for record in records))]
    data += [_seeds("trial", (record.spec.seed for record in records))]
    data += _rto(spec.rto) + _protocol(spec.protocol)
    options = [f"{name}={value}" for name, value in sorted(spec.dataset_options.items()) if value is not None]
    networks = [
        f"{name.replace('_', ' ')} {values}"
        for name in ("backbone", "image_size")
        if (values := _values(record.spec.params.get(name) for record in records))
    ]
    devices = [f"{r.spec.resources.device} with {_counted(r.spec.resources.threads, 'thread')}" for r in records]
    machines = _values(machine(record.environment) for record in records)
    return [
        ", ".join(data),
        *([f"dataset options: {', '.join(options)}"] if options else []),
        ", ".join([*networks, _values(devices)]),
        *([f"machine: {machines}"] if machines else []),
    ]


def undefined(records: Iterable[Record], metrics: Sequence[str]) -> list[str]:
    """One note per reason why a metric has no value."""
    places: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for metric in metrics:
            if record.status == "ok" and record.metrics.get(metric) is None:
                reason = record.undefined.get(metric, "not computed")
                places.setdefault((metric, reason), []).append(_place(record))
    return [
        f"{UNDEFINED} {' '.join(metric_words(metric))}: {reason} ({listed(at)})"
        for (metric, reason), at in places.items()
    ]


def failures(records: Iterable[Record]) -> list[str]:
    """One note per way in which trials ended without a result."""
    records = list(records)
    several = len({record.spec.seed for record in records}) > 1
    places: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if record.status != "ok":
            what = (STATUS_WORDS[record.status], first_line(record.reason))
            places.setdefault(what, []).append(_place(record) + (f" seed {record.spec.seed}" if several else ""))
    return [f"{word}: {reason} ({listed(at)})" for (word, reason), at in places.items()]


def remarks(records: Iterable[Record], limit: int = 5) -> list[str]:
    """What the trials remarked, the first few of them; all are in the JSON."""
    places: dict[str, list[str]] = {}
    for record in records:
        for remark in record.remarks:
            places.setdefault(remark, []).append(record.spec.category)
    notes = [f"remark: {remark} ({listed(at)})" for remark, at in places.items()]
    return notes if len(notes) <= limit else [*notes[:limit], f"and {len(notes) - limit} more remarks (--format json)"]


def attempts(records: Iterable[Record]) -> list[str]:
    """One note per reason why trials were begun again."""
    places: dict[str, list[str]] = {}
    for record in records:
        for attempt in record.attempts:
            places.setdefault(attempt.reason, []).append(_place(record))
    return [f"begun again: {reason} ({listed(at)})" for reason, at in places.items()]


def adaptations(records: Iterable[Record]) -> list[str]:
    """What training the adapted backbones cost, which no method's time to fit holds."""
    made = [one for record in records if (one := record.provenance.get("adaptation"))]
    if not made:
        return []
    seconds = {one["entry"]: one["seconds"] for one in made}
    trainings = _counted(len(seconds), "adapted backbone")
    damaged = dict.fromkeys(file for one in made if (file := one.get("took_the_place_of_damaged")))
    return [
        f"{trainings}, trained for {statistics.fmean(seconds.values()):.0f} s in the mean, beside the time to fit",
        *(f"! {file} was damaged; trained anew" for file in damaged),
    ]


def features(records: Iterable[Record]) -> list[str]:
    """How often features were extracted, and how often found in the cache; no method's time to fit holds either."""
    records = [record for record in records if "features" in record.provenance]
    if not records:
        return []
    extracted, found = (
        sum(record.provenance["features"][what] for record in records) for what in ("extracted", "found")
    )
    cold, warm = (sum(record.timings.get(what, 0) for record in records) for what in ("features", "feature_cache"))
    return [
        f"features of {_counted(extracted, 'image')} extracted in {cold:.0f} s, {found} times found; the cache took "
        f"{warm:.0f} s; beside the time to fit"
    ]


def first_line(reason: str) -> str:
    """The first line of a reason, which says what happened."""
    return next((line.strip() for line in reason.splitlines() if line.strip()), "no reason given")


def latency_notes(latencies: Sequence[Latency], failures: Sequence[LatencyFailure] = ()) -> list[str]:
    """What the latency was measured on, what was flagged about the measurement, and why others failed."""
    failed = [
        f"latency of {_called(one)}: {STATUS_WORDS[one.status]}: {first_line(one.reason)}"
        for one in {one.key: one for one in failures}.values()
    ]
    if not latencies:
        return failed or ["latency: not measured"]
    calls: dict[str, list[int]] = {}
    for one in latencies:
        place = f"{one.category} at {one.image_width}x{one.image_height}"
        setup = f"{place} with {_counted(one.resources.threads, f'{one.resources.device} thread')}"
        calls.setdefault(setup, []).append(one.end_to_end.calls)
    setups = [f"{setup}, {_from_to(counts)} calls" for setup, counts in calls.items()]
    flags: dict[str, list[str]] = {}
    for one in latencies:
        for flag in one.flags:
            flags.setdefault(flag, []).append(_called(one))
    notes = [f"latency: median (p50) of single images, end to end, measured alone on {listed(setups, limit=3)}"]
    return [*notes, *(f"! {flag} ({listed(methods)})" for flag, methods in flags.items()), *failed]


def _called(one: Latency | LatencyFailure) -> str:
    return " ".join(filter(None, [one.method, one.label]))


def _from_to(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _place(record: Record) -> str:
    return f"{record.spec.category}/{record.spec.method}"


def _rto(rto: RtoOptions | None) -> list[str]:
    if rto is None:
        return []
    return [f"rotation up to {rto.rotation:g}°, crop to {rto.crop * 100:g} % or more, border fill {rto.fill}"]


def _protocol(protocol: Protocol) -> list[str]:
    limits = [
        f"at most {count} {part} images" if count else f"all {part} images"
        for part, count in (("training", protocol.train_images), ("test", protocol.test_images))
    ]
    at = {"input": "maps evaluated at the model's input size", "image": "maps evaluated at each image's own size"}
    return [*limits, at[protocol.evaluate_at]]


def _seeds(kind: str, seeds: Iterable[int]) -> str:
    distinct = sorted(set(seeds))
    return f"{kind} {'seed' if len(distinct) == 1 else 'seeds'} {_values(distinct)}"


def _origin(params: dict[str, Any]) -> str:
    """Where a method's features come from; empty where it stands on no backbone."""
    weights = params.get("weights")
    if weights == "none":
        return f"features: {params['backbone']}"
    if weights == "imagenet":
        return f"ImageNet weights of {network_title(params['backbone'])}"
    return f"weights: {weights}" if weights else ""


def _values(values: Iterable[Any]) -> str:
    return listed(str(value) for value in values if value not in (None, ""))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
