"""The images of a trial: split, limited and warped by the data seed, so that every method sees the same ones."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pybench import registry, strict_yaml
from pybench.hashing import derive_seed
from pybench.records import TrialSpec
from pybench.rto import apply_rto
from pybench.types import Dataset, Sample


@dataclass(frozen=True)
class TrialData:
    """Training and test samples, and remarks on draws that did not go by the rule."""

    train: list[Sample]
    test: list[Sample]
    remarks: list[str]


def load(spec: TrialSpec, data_root: Path | None) -> TrialData:
    """The samples that a spec stands for.

    Raises:
        InputError: the data is not there or not usable.
    """
    dataset = open_dataset(spec, data_root)
    train = _draw(dataset.split(spec.category, "train"), spec.protocol.train_images, spec, "train")
    test = _draw_test(dataset.split(spec.category, "test"), spec)
    remarks: list[str] = []
    if spec.rto is not None:
        train, lost_train = apply_rto(train, spec.rto, category=spec.category, part="train", data_seed=spec.data_seed)
        test, lost_test = apply_rto(test, spec.rto, category=spec.category, part="test", data_seed=spec.data_seed)
        remarks = lost_train + lost_test
    return TrialData(train, test, remarks)


def open_dataset(spec: TrialSpec, data_root: Path | None) -> Dataset:
    """The dataset of a spec at its place below the data root."""
    cls: type[Dataset] = registry.load("dataset", spec.dataset)
    return cls(cls.locate(data_root), strict_yaml.validate(cls.Options, spec.dataset_options), spec.data_seed)


def _draw(samples: list[Sample], count: int | None, spec: TrialSpec, what: str) -> list[Sample]:
    """``count`` of the samples in their order, or all where that is no fewer."""
    if count is None or count >= len(samples):
        return samples
    generator = np.random.default_rng(derive_seed(spec.data_seed, spec.dataset, spec.category, what))
    return [samples[index] for index in sorted(generator.choice(len(samples), count, replace=False))]


def _draw_test(samples: list[Sample], spec: TrialSpec) -> list[Sample]:
    """Half of ``protocol.test_images`` normal, the rest spread evenly over the defect types, where they suffice."""
    limit = spec.protocol.test_images
    if limit is None or limit >= len(samples):
        return samples
    by_type: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_type[sample.defect_type if sample.label else ""].append(sample)
    normal = by_type.pop("", [])
    counts = _even_shares([len(group) for group in by_type.values()], limit - min(len(normal), limit // 2))
    kept = _draw(normal, limit - sum(counts), spec, "test")
    for (defect_type, group), count in zip(by_type.items(), counts, strict=True):
        kept += _draw(group, count, spec, f"test/{defect_type}")
    return sorted(kept, key=samples.index)


def _even_shares(available: list[int], total: int) -> list[int]:
    """Split ``total`` as evenly as the available numbers allow; the first ones get what does not divide."""
    shares = [0] * len(available)
    while total > 0 and shares != available:
        for index, limit in enumerate(available):
            if total > 0 and shares[index] < limit:
                shares[index] += 1
                total -= 1
    return shares
