"""The content of a result table, before it is drawn: columns, cells, best and second best, means, footnotes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from pybench.hashing import json_hash
from pybench.records import Latency, LatencyFailure, Record, Result
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
from pybench.spec import TrialSpec

Key = TypeVar("Key")
Seed = tuple[int, int]  # of the trial, of the data
Mark = Literal["", "best", "second"]
Described = TrialSpec | Latency | LatencyFailure  # by method, label, params and resources
PERCENT_DIGITS = 1


@dataclass(frozen=True)
class Column:
    """One method with one set of parameters and resources. ``detail`` is what the suite calls it, and how it differs
    from the method's others that are called the same."""

    key: str
    method: str
    detail: str

    @property
    def label(self) -> str:
        return f"{self.method} {self.detail}".strip()


@dataclass(frozen=True)
class Cell:
    """A metric of one method, in percent. ``text`` stands where there is no value; ``spread`` is over seeds."""

    value: float | None = None
    spread: float | None = None
    mark: Mark = ""
    text: str = ""

    @property
    def rounded(self) -> float | None:
        """The value as it is shown; methods that show the same are ties."""
        return None if self.value is None else round(self.value, PERCENT_DIGITS)

    def __str__(self) -> str:
        if self.value is None:
            return self.text
        spread = "" if self.spread is None else f"±{self.spread:.{PERCENT_DIGITS}f}"
        return f"{self.value:.{PERCENT_DIGITS}f}{spread}"


@dataclass(frozen=True)
class Values:
    """The values of one table: cells and their means, with nothing marked yet.

    ``by_seed`` holds, for each mean, those of the seeds that are complete, over the same categories and in percent;
    ``notes`` say over which categories means are where these are not all.
    """

    cells: dict[tuple[str, str, str], Cell]  # (category, column key, metric)
    means: dict[tuple[str, str], Cell]  # (column key, metric)
    by_seed: dict[tuple[str, str], dict[Seed, float]]  # (column key, metric)
    notes: list[str]


@dataclass(frozen=True)
class MethodRow:
    """What decides between methods beside their metrics: latency at batch 1, memory and time to fit."""

    column: Column
    latency: Latency | None
    fit_seconds: float | None
    failure: str = ""  # of the latency: its status in a word


@dataclass(frozen=True)
class Summary:
    """One table: all trials of one suite, dataset, profile and protocol."""

    title: str
    facts: list[str]
    metrics: list[str]
    columns: list[Column]
    categories: list[str]
    cells: Mapping[tuple[str, str, str], Cell]  # (category, column key, metric)
    means: Mapping[tuple[str, str], Cell]  # (column key, metric)
    methods: list[MethodRow]
    notes: list[str]


def group_key(spec: TrialSpec) -> str:
    """Trials with the same value belong into one table."""
    fields = {"suite", "dataset", "dataset_options", "rto", "profile", "protocol"}
    return json_hash(spec.model_dump(mode="json", include=fields))


def column_key(spec: Described) -> str:
    """Trials with the same value belong into one column of their table."""
    return json_hash(spec.model_dump(mode="json", include={"method", "params", "resources"}))


def columns_of(specs: Iterable[Described]) -> list[Column]:
    """The columns of a table, each named by what sets it apart: methods as they first come, then by label, then by
    what differs."""
    groups: dict[tuple[str, str], dict[str, Described]] = {}
    for spec in specs:
        groups.setdefault((spec.method, spec.label), {}).setdefault(column_key(spec), spec)
    columns = []
    methods = list(dict.fromkeys(method for method, _ in groups))
    for (method, label), group in sorted(groups.items(), key=lambda item: (methods.index(item[0][0]), item[0][1])):
        settings = {key: _settings(spec) for key, spec in group.items()}
        names = differing(list(settings.values()))
        for key in sorted(settings, key=lambda key: [_rank(settings[key].get(name)) for name in names]):
            details = [label, *(f"{name}={_shown(settings[key].get(name))}" for name in names)]
            columns.append(Column(key, method, " ".join(filter(None, details))))
    return columns


def summaries(results: Sequence[Result], metrics: Sequence[str] = ()) -> list[Summary]:
    """The tables of a run.

    Args:
        metrics: those to show, in order; none shows the headline ones.

    Raises:
        InputError: a metric that is asked for was not computed in any trial.
    """
    shown = choose_metrics(list(dict.fromkeys(m for r in results for m in r.record.spec.metrics)), metrics)
    return [summarise(group, shown) for group in grouped(results)]


def grouped(results: Iterable[Result]) -> list[list[Result]]:
    """The results of each table."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(group_key(result.record.spec), []).append(result)
    return list(groups.values())


def table_values(records: Sequence[Record], metrics: Sequence[str], columns: Sequence[Column]) -> Values:
    """The values of one table: a cell for each category, column and metric, and the means of the cells."""
    categories = list(dict.fromkeys(record.spec.category for record in records))
    trials: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        trials.setdefault((record.spec.category, column_key(record.spec)), []).append(record)
    cells = {
        (category, column.key, metric): _cell(trials.get((category, column.key), []), metric)
        for category in categories
        for column in columns
        for metric in metrics
    }
    return _with_means(cells, trials, categories, columns, metrics)


def summarise(results: Sequence[Result], metrics: Sequence[str], columns: Sequence[Column] = ()) -> Summary:
    """One table from trials of one group; ``columns`` may name more columns than have results yet."""
    records = [result.record for result in results]
    columns = list(columns) or columns_of(record.spec for record in records)
    categories = list(dict.fromkeys(record.spec.category for record in records))
    values = table_values(records, metrics, columns)
    cells, means = values.cells, values.means
    for metric in metrics:
        higher = higher_is_better(metric)
        for category in categories:
            _mark(cells, [(category, column.key, metric) for column in columns], higher)
        _mark(means, [(column.key, metric) for column in columns], higher)
    rows = [row for column in columns for row in _method_rows(column, results)]
    return Summary(
        title=notes.title(records),
        facts=notes.facts(records),
        metrics=list(metrics),
        columns=list(columns),
        categories=categories,
        cells=cells,
        means=means,
        methods=rows,
        notes=[
            *values.notes,
            *notes.undefined(records, metrics),
            *notes.failures(records),
            *notes.attempts(records),
            *notes.remarks(records),
            *notes.adaptations(records),
            *notes.features(records),
            *notes.latency_notes(
                [row.latency for row in rows if row.latency],
                [result.latency_failure for result in results if result.latency_failure],
            ),
        ],
    )


def _settings(spec: Described) -> dict[str, Any]:
    return {**spec.params, **spec.resources.model_dump()}


def _rank(value: Any) -> tuple[bool, float, str]:
    """Sorts the values of a parameter: numbers by size, then the others by how they are written."""
    is_number = isinstance(value, int | float)
    return (not is_number, value if is_number else 0.0, "" if is_number else _shown(value))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name} {_shown(item)}" for name, item in value.items() if item is not None)
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _method_rows(column: Column, results: Iterable[Result]) -> list[MethodRow]:
    """One row per latency measured (there are several where image sizes differ), one without where there is none."""
    own = [result for result in results if column_key(result.record.spec) == column.key]
    fits = [result.record.timings["fit"] for result in own if "fit" in result.record.timings]
    fit_seconds = statistics.fmean(fits) if fits else None
    latencies = distinct_latencies(own)
    failure = next((STATUS_WORDS[result.latency_failure.status] for result in own if result.latency_failure), "")
    if not latencies:
        return [MethodRow(column, None, fit_seconds, failure)]
    return [MethodRow(column, latency, fit_seconds) for latency in latencies]


def distinct_latencies(results: Iterable[Result]) -> list[Latency]:
    """The latencies of these trials, each once."""
    return list({result.latency.key: result.latency for result in results if result.latency}.values())


def _cell(records: Sequence[Record], metric: str) -> Cell:
    values = [value * 100 for record in records if (value := record.metrics.get(metric)) is not None]
    if values:
        return Cell(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)
    statuses = [record.status for record in records]
    if "ok" in statuses:
        return Cell(text=UNDEFINED)
    return Cell(text=STATUS_WORDS[statuses[0]] if statuses else "")


def _with_means(
    cells: dict[tuple[str, str, str], Cell],
    trials: Mapping[tuple[str, str], Sequence[Record]],
    categories: Sequence[str],
    columns: Sequence[Column],
    metrics: Sequence[str],
) -> Values:
    """Means over the categories in which every method has the metric, so that the methods can be compared.

    A method that never has the metric (it gives no maps, or has not run yet) takes no part. The spread is that of the
    mean over seeds.
    """
    means = {(column.key, metric): Cell(text=UNDEFINED) for column in columns for metric in metrics}
    by_seed: dict[tuple[str, str], dict[Seed, float]] = {}
    incomplete: dict[int, list[str]] = {}
    for metric in metrics:
        values = {
            column.key: {x: value for x in categories if (value := cells[x, column.key, metric].value) is not None}
            for column in columns
        }
        taking_part = {key: by_category for key, by_category in values.items() if by_category}
        common = [category for category in categories if all(category in by for by in taking_part.values())]
        if taking_part and len(common) < len(categories):
            incomplete.setdefault(len(common), []).append(" ".join(metric_words(metric)))
        for key, by_category in taking_part.items():
            if common:
                seeds = _seed_means([trials[category, key] for category in common], metric)
                spread = statistics.stdev(seeds.values()) if len(seeds) > 1 else None
                means[key, metric] = Cell(statistics.fmean(by_category[category] for category in common), spread)
                by_seed[key, metric] = seeds
    notes = [
        f"mean of {listed(names)}: over the {count} of {len(categories)} categories in which every method has a value"
        for count, names in incomplete.items()
    ]
    return Values(cells, means, by_seed, notes)


def _seed_means(by_category: Sequence[Sequence[Record]], metric: str) -> dict[Seed, float]:
    """A metric's mean over categories, in percent, for each seed that has it in all of them."""
    values: dict[Seed, list[float]] = {}
    for records in by_category:
        for record in records:
            if (value := record.metrics.get(metric)) is not None:
                values.setdefault((record.spec.seed, record.spec.data_seed), []).append(value * 100)
    return {seed: statistics.fmean(of_seed) for seed, of_seed in values.items() if len(of_seed) == len(by_category)}


def _mark(cells: dict[Key, Cell], keys: Sequence[Key], higher: bool) -> None:
    """Marks the best and the second best of the cells; ties are all marked, and two best leave no second."""
    keys_of: dict[float, list[Key]] = {}
    for key in keys:
        if (value := cells[key].rounded) is not None:
            keys_of.setdefault(value, []).append(key)
    ranked = sorted(keys_of, reverse=higher)
    if sum(len(tied) for tied in keys_of.values()) < 2:
        return
    marks: list[tuple[Mark, float]] = [("best", ranked[0])]
    if len(keys_of[ranked[0]]) == 1:
        marks.append(("second", ranked[1]))
    for mark, value in marks:
        for key in keys_of[value]:
            cells[key] = replace(cells[key], mark=mark)
