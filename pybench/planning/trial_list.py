"""The specs of a plan's trials. Each is made when it is asked for, so a suite of a million takes no memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, overload

from pybench.registry import unknown
from pybench.spec import Protocol, Resources, RtoOptions, TrialSpec
from pybench.types import InputError

_FILTERS = ("dataset", "category", "method", "seed", "data_seed")


@dataclass(frozen=True)
class DatasetChoice:
    """A dataset of a suite, with its options resolved."""

    name: str
    categories: tuple[str, ...]
    options: dict[str, Any]
    rto: RtoOptions | None


@dataclass(frozen=True)
class MethodChoice:
    """A method of a suite with one combination of parameters, and the seeds that it is run with."""

    name: str
    label: str
    params: dict[str, Any]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Specs(Sequence[TrialSpec]):
    """The specs of datasets x data seeds x categories x methods x seeds, in this order, so that the rows of the result
    table fill one after another."""

    suite: str
    profile: str
    metrics: tuple[str, ...]
    protocol: Protocol
    resources: Resources
    datasets: tuple[DatasetChoice, ...]
    data_seeds: tuple[int, ...]
    methods: tuple[MethodChoice, ...]

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> TrialSpec: ...

    @overload
    def __getitem__(self, index: slice) -> list[TrialSpec]: ...

    def __getitem__(self, index: int | slice) -> TrialSpec | list[TrialSpec]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        which, rest = _place(self._starts, index % len(self))
        dataset = self.datasets[which]
        block, rest = divmod(rest, self._method_starts[-1])
        data_seed, category = divmod(block, len(dataset.categories))
        which, seed = _place(self._method_starts, rest)
        method = self.methods[which]
        return TrialSpec(
            suite=self.suite,
            dataset=dataset.name,
            category=dataset.categories[category],
            dataset_options=dataset.options,
            rto=dataset.rto,
            data_seed=self.data_seeds[data_seed],
            method=method.name,
            label=method.label,
            params=method.params,
            seed=method.seeds[seed],
            profile=self.profile,
            metrics=self.metrics,
            protocol=self.protocol,
            resources=self.resources,
        )

    def __iter__(self) -> Iterator[TrialSpec]:
        return (self[index] for index in range(len(self)))

    def of_each_method(self) -> list[TrialSpec]:
        """One spec for every method and combination of parameters."""
        return [self[start] for start in self._method_starts[:-1]]

    def of_each_category(self) -> list[TrialSpec]:
        """One spec for every dataset, data seed and category."""
        return [self[index] for index in range(0, len(self), self._method_starts[-1])]

    def filtered(self, filters: dict[str, str]) -> Specs:
        """The specs that have, for every key, one of the comma-separated values.

        Args:
            filters: key -> values; keys are dataset, category, method, seed and data_seed.

        Raises:
            InputError: a key or value that is not there, or nothing left.
        """
        kept = self
        for key, value in filters.items():
            if key not in _FILTERS:
                raise InputError(f"--filter {key}={value}: {unknown('filter', key, _FILTERS)}")
            wanted, there = value.split(","), sorted(kept._values(key))
            for item in wanted:
                if item not in there:
                    raise InputError(f"--filter {key}={value}: {unknown(key, item, there)}")
            kept = kept._restricted(key, wanted)
        if not len(kept):
            raise InputError("no trial is left to run: the filters and the profile's categories leave out all of them")
        return kept

    def _values(self, key: str) -> set[str]:
        values: dict[str, list[Any]] = {
            "dataset": [dataset.name for dataset in self.datasets],
            "category": [category for dataset in self.datasets for category in dataset.categories],
            "method": [method.name for method in self.methods],
            "seed": [seed for method in self.methods for seed in method.seeds],
            "data_seed": list(self.data_seeds),
        }
        return set(map(str, values[key]))

    def _restricted(self, key: str, wanted: list[str]) -> Specs:
        datasets, methods, data_seeds = self.datasets, self.methods, self.data_seeds
        if key == "dataset":
            datasets = tuple(dataset for dataset in datasets if dataset.name in wanted)
        elif key == "category":
            left = [tuple(name for name in dataset.categories if name in wanted) for dataset in datasets]
            datasets = tuple(replace(one, categories=names) for one, names in zip(datasets, left, strict=True) if names)
        elif key == "method":
            methods = tuple(method for method in methods if method.name in wanted)
        elif key == "seed":
            seeds = [tuple(seed for seed in method.seeds if str(seed) in wanted) for method in methods]
            methods = tuple(replace(one, seeds=some) for one, some in zip(methods, seeds, strict=True) if some)
        else:
            data_seeds = tuple(seed for seed in data_seeds if str(seed) in wanted)
        return replace(self, datasets=datasets, methods=methods, data_seeds=data_seeds)

    @cached_property
    def _method_starts(self) -> list[int]:
        """The index at which each method begins within one category, and where the last one ends."""
        return [0, *accumulate(len(method.seeds) for method in self.methods)]

    @cached_property
    def _starts(self) -> list[int]:
        """The index at which each dataset begins, and where the last one ends."""
        per_category = len(self.data_seeds) * self._method_starts[-1]
        return [0, *accumulate(len(dataset.categories) * per_category for dataset in self.datasets)]


class SpecList(tuple[TrialSpec, ...]):
    """Trials that are listed one by one, for a plan that is no product of choices."""

    def of_each_method(self) -> list[TrialSpec]:
        """All specs."""
        return list(self)

    def of_each_category(self) -> list[TrialSpec]:
        """All specs."""
        return list(self)


def _place(starts: list[int], index: int) -> tuple[int, int]:
    """The part that an index falls into, and the position in this part."""
    which = bisect_right(starts, index) - 1
    return which, index - starts[which]
