"""The samples of a trial: split, limited and warped by the data seed, so that every method sees the same images.

All code that needs the samples of a dataset gets them here, where test samples are counted. So the count shows whether
a search for hyper-parameters has seen any.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pybench import registry
from pybench.hashing import derive_seed
from pybench.planning import strict_yaml
from pybench.spec import TrialSpec
from pybench.trial.rto import apply_rto
from pybench.trial.validation import hold_out, synthetic_anomalies
from pybench.types import Dataset, Part, Sample

_ORACLE = "the hyper-parameters were chosen by these test labels (oracle)"
_VALIDATION = "measured on held-out normal images and synthetic anomalies on them, not on the test set"


@dataclass(frozen=True)
class TrialData:
    """The training samples of a trial and the samples that are predicted (``test``).

    ``remarks`` name defects that a warp moved out of view, and say what is predicted if it is not simply the test set.
    ``test_labels_read`` counts the labelled test samples that were read from the dataset for this trial.
    """

    train: list[Sample]
    test: list[Sample]
    remarks: list[str]
    test_labels_read: int = 0


def load_samples(spec: TrialSpec, data_root: Path | None) -> TrialData:
    """The samples of a spec.

    Raises:
        InputError: the data is not there or not usable.
    """
    before = labels_read()
    split = _train_and_validation if spec.evaluate_on == "validation" else _train_and_test
    train, test = split(spec, data_root)
    train, test = _draw(train, spec.protocol.train_images, spec, "train"), _draw_test(test, spec)
    remarks: list[str] = {"test": [], "oracle": [_ORACLE], "validation": [_VALIDATION]}[spec.evaluate_on]
    if spec.rto is not None:
        train, lost_train = apply_rto(train, spec.rto, category=spec.category, part="train", data_seed=spec.data_seed)
        test, lost_test = apply_rto(test, spec.rto, category=spec.category, part="test", data_seed=spec.data_seed)
        remarks += lost_train + lost_test
    return TrialData(train, test, remarks, labels_read() - before)


def check_samples(spec: TrialSpec, data_root: Path | None) -> None:
    """Check that the images which ``load_samples`` will need are there.

    Raises:
        InputError: they are not.
    """
    dataset = open_dataset(spec, data_root)
    _split(dataset, spec, "train")
    if spec.evaluate_on != "validation":
        _split(dataset, spec, "test")
    elif dataset.has_validation:
        _split(dataset, spec, "validation")


def labels_read() -> int:
    """How many labelled test samples this process has read so far."""
    return _samples_read["test"]


_samples_read: Counter[Part] = Counter()


def _split(dataset: Dataset, spec: TrialSpec, part: Part) -> list[Sample]:
    samples = dataset.split(spec.category, part)
    _samples_read[part] += len(samples)
    return samples


def _train_and_test(spec: TrialSpec, data_root: Path | None) -> tuple[list[Sample], list[Sample]]:
    dataset = open_dataset(spec, data_root)
    return _split(dataset, spec, "train"), _split(dataset, spec, "test")


def _train_and_validation(spec: TrialSpec, data_root: Path | None) -> tuple[list[Sample], list[Sample]]:
    """Training samples, and a validation set: other normal samples, and synthetic anomalies drawn on these."""
    dataset = open_dataset(spec, data_root)
    train = _split(dataset, spec, "train")
    if dataset.has_validation:
        normal = _split(dataset, spec, "validation")
    else:
        train, normal = hold_out(train, derive_seed(spec.data_seed, spec.dataset, spec.category, "validation"))
    # The limit is applied first, so that no anomaly is drawn on an image that it leaves out.
    limit = spec.protocol.test_images
    normal = _draw(normal, None if limit is None else max(1, limit // 2), spec, "validation")
    # "spoilt" stays: another word would be another seed, and so another validation set.
    seed = derive_seed(spec.data_seed, spec.dataset, spec.category, "spoilt")
    return train, normal + synthetic_anomalies(normal, seed)


def open_dataset(spec: TrialSpec, data_root: Path | None) -> Dataset:
    """The dataset of a spec, found below the data root.

    Raises:
        InputError: the dataset is not there.
    """
    cls: type[Dataset] = registry.load("dataset", spec.dataset)
    return cls(cls.locate(data_root), strict_yaml.validate(cls.Options, spec.dataset_options), spec.data_seed)


def _draw(samples: list[Sample], count: int | None, spec: TrialSpec, what: str) -> list[Sample]:
    """``count`` samples drawn at random, in their order; all of them if there are no more, or if ``count`` is None."""
    if count is None or count >= len(samples):
        return samples
    generator = np.random.default_rng(derive_seed(spec.data_seed, spec.dataset, spec.category, what))
    return [samples[index] for index in sorted(generator.choice(len(samples), count, replace=False))]


def _draw_test(samples: list[Sample], spec: TrialSpec) -> list[Sample]:
    """At most ``protocol.test_images`` samples: half of them normal, the rest spread evenly over the defect types, as
    far as there are enough of each."""
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
    """Split ``total`` as evenly as the available numbers allow; the remainder goes to the first ones."""
    shares = [0] * len(available)
    while total > 0 and shares != available:
        for index, limit in enumerate(available):
            if total > 0 and shares[index] < limit:
                shares[index] += 1
                total -= 1
    return shares
