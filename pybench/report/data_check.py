"""Reads every image and mask of a dataset, counts them, and names those that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from pybench import registry
from pybench.images.loading import read_defects, read_image, read_mask
from pybench.planning import strict_yaml
from pybench.types import Dataset, InputError, Sample

Options = TypeVar("Options", bound=BaseModel)


def options_from(model: type[Options], given: Mapping[str, str]) -> Options:
    """A dataset's options from ``--set`` values, which are read as YAML, or as text where they are not YAML.

    Raises:
        InputError: an unknown option (the nearest one is named) or a value that does not fit.
    """
    try:
        return strict_yaml.validate(model, {name: strict_yaml.scalar(text) for name, text in given.items()})
    except ValidationError as error:
        found = strict_yaml.problems(error, model)
        raise InputError(
            "\n".join(f"--set {strict_yaml.dotted(path)}: {problem}" for path, problem in found)
        ) from error


def check(
    name: str, data_root: Path | None, categories: Sequence[str], given: Mapping[str, str], console: Console
) -> tuple[list[dict[str, Any]], list[str]]:
    """Counts per category, and what is wrong with the images that cannot be used.

    Args:
        categories: those to check; none takes all.
        given: the dataset's options.
        console: for the progress bar.

    Raises:
        InputError: no such dataset, category or option, or the data is not there.
    """
    cls: type[Dataset] = registry.load("dataset", name)
    known = cls.info.categories
    for category in categories:
        if known and category not in known:
            raise InputError(registry.unknown(f"category of {name}", category, known))
    if not categories and not known:
        raise InputError(f"{name} has no categories of its own; name yours with --category")
    dataset = cls(cls.locate(data_root), options_from(cls.Options, given), data_seed=0)
    rows, problems = [], []
    for category in categories or known:
        train, test = dataset.split(category, "train"), dataset.split(category, "test")
        annotated, bad = 0, []
        for sample in track([*train, *test], escape(category), console=console):
            try:
                annotated += _is_annotated(sample)
            except InputError as error:
                bad.append(str(error))
        problems += bad
        rows.append(_counts(category, train, test) | {"annotated": annotated, "unusable": len(bad)})
    return rows, problems


def _is_annotated(sample: Sample) -> bool:
    """Whether a sample is defective and its mask says where; reads image and masks."""
    height, width, _ = read_image(sample).shape
    mask = read_mask(sample, (height, width))
    read_defects(sample, (height, width))
    return bool(sample.label) and mask is not None


def _counts(category: str, train: Sequence[Sample], test: Sequence[Sample]) -> dict[str, Any]:
    defective = [sample for sample in test if sample.label]
    return {
        "category": category,
        "train": len(train),
        "test good": len(test) - len(defective),
        "test defective": len(defective),
        "defect types": sorted({sample.defect_type for sample in defective}),
    }
