"""Cases of `pybench gate --suite`: each method of a suite, predicting on decoded images and end to end from the file.

Runs inside base's and head's process (see worker.py): each side expands the suite and fits by its own code, on the same
data with the same seeds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from pybench import registry
from pybench.images.loading import DecodedImages
from pybench.planning import strict_yaml
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.spec import TrialSpec
from pybench.trial.build_method import build_method
from pybench.trial.job import Job
from pybench.trial.samples import load_samples
from pybench.types import Method, Sample

Call = Callable[[int], object]

PACKAGES = ["pybench"]


def cases(
    suite: str, profile: str | None, filters: dict[str, str], overrides: dict[str, str], data_root: str | None
) -> dict[str, Callable[[], tuple[Call, str]]]:
    """Two builders for each method and combination of parameters, on the suite's first category."""
    root = Path(data_root) if data_root else None
    overrides = {"resources.threads": "1", **overrides}
    planned = plan(*load_suite(suite), profile=profile, filters=filters, overrides=overrides, data_root=root)
    built: dict[str, Callable[[], tuple[Call, str]]] = {}
    for name, spec in _named(planned.specs.of_each_method()).items():
        fitted = cache(partial(_fit, spec, root))
        built[f"{name}, predict"] = partial(_predict, fitted)
        built[f"{name}, end to end"] = partial(_end_to_end, fitted)
    return built


def _named(specs: list[TrialSpec]) -> dict[str, TrialSpec]:
    """Specs by name: the label or the method, with the parameters in which the specs of one method differ. So a
    parameter that only one revision has does not change the name."""
    names = {}
    for spec in specs:
        same = [other.params for other in specs if (other.method, other.label) == (spec.method, spec.label)]
        varied = {key: value for key, value in spec.params.items() if any(other.get(key) != value for other in same)}
        names[" ".join([spec.label or spec.method, *(f"{key}={value}" for key, value in varied.items())])] = spec
    return names


def _fit(spec: TrialSpec, root: Path | None) -> tuple[Method, DecodedImages, str]:
    """The fitted method, the test images, and a digest of all images."""
    cls: type[Method] = registry.load("method", spec.method)
    cls.prepare(strict_yaml.validate(cls.Params, spec.params))
    samples = load_samples(spec, root)
    method = build_method(Job(spec, root, (), "", "", {}))
    method.fit(DecodedImages(samples.train))
    return method, DecodedImages(samples.test), _digest([*samples.train, *samples.test])


def _digest(samples: Iterable[Sample]) -> str:
    """Digest of the images' files and warps. Records have a fingerprint, but revisions may compute it differently."""
    sha = hashlib.sha256()
    for sample in samples:
        sha.update(sample.image.read_bytes() + repr(sample.warp).encode())
    return sha.hexdigest()


def _predict(fitted: Callable[[], tuple[Method, DecodedImages, str]]) -> tuple[Call, str]:
    method, images, digest = fitted()
    decoded = [images[index][None] for index in range(min(8, len(images)))]
    return lambda index: _on_host(method, decoded[index % len(decoded)]), digest


def _end_to_end(fitted: Callable[[], tuple[Method, DecodedImages, str]]) -> tuple[Call, str]:
    method, images, digest = fitted()
    return lambda index: _on_host(method, images[index % len(images)][None]), digest


def _on_host(method: Method, image: torch.Tensor) -> Any:
    """One prediction whose results have arrived on the host."""
    prediction = method.predict(image)
    return prediction.scores.cpu(), None if prediction.maps is None else prediction.maps.cpu()
