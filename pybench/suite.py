"""Suites: strict YAML files that name datasets, methods, metrics, seeds and profiles."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pybench import registry, strict_yaml
from pybench.records import Protocol, RtoOptions
from pybench.registry import unknown
from pybench.strict_yaml import Document
from pybench.types import InputError

ProfileName = Literal["paper", "quick", "smoke"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetEntry(_Strict):
    """A dataset of a suite; no categories means all that it has."""

    name: str
    categories: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    rto: RtoOptions | None = None


class MethodEntry(_Strict):
    """A method with fixed ``params`` and lists of values to combine (``grid``)."""

    name: str
    params: dict[str, Any] = {}
    grid: dict[str, tuple[Any, ...]] = {}


class LatencyProtocol(_Strict):
    """How long a latency measurement goes on: ``calls`` or ``seconds``, whichever comes first, at least 30 calls."""

    calls: int = Field(1024, ge=30)
    seconds: float = Field(60, gt=0)


class ResourcesRequest(_Strict):
    """What trials shall run with; ``auto`` is resolved before a trial's key is made."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Literal["auto"] | int = "auto"
    backend: Literal["auto", "cuda", "avx512", "avx2", "portable", "reference"] = "auto"


class Profile(_Strict):
    """What a profile changes in the suite: budgets, never definitions."""

    protocol: dict[str, Any] = {}
    methods: dict[str, dict[str, Any]] = {}
    standin: dict[str, Any] = {}
    latency: LatencyProtocol | None = None
    seeds: tuple[int, ...] | None = None


class Suite(_Strict):
    """A suite as it stands in its file."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    datasets: tuple[DatasetEntry, ...] = Field(min_length=1)
    methods: tuple[MethodEntry, ...] = Field(min_length=1)
    metrics: tuple[str, ...] = ()
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    data_seeds: tuple[int, ...] = Field((0,), min_length=1)
    protocol: Protocol = Protocol()
    latency: LatencyProtocol | None = LatencyProtocol()
    resources: ResourcesRequest = ResourcesRequest()
    profiles: dict[ProfileName, Profile] = {}


def suite_names() -> list[str]:
    """Names of the suites that come with pybench."""
    return sorted(file.name.removesuffix(".yaml") for file in _shipped().iterdir() if file.name.endswith(".yaml"))


def load_suite(path_or_name: str) -> tuple[Suite, Document]:
    """Read a suite from a YAML file, or one that comes with pybench by its name.

    Raises:
        InputError: no such file or name; unknown or duplicate keys, wrong types, unknown datasets, categories, methods
            or metrics, each with file, line, key and the nearest known name.
    """
    document = strict_yaml.read(_find(path_or_name))
    suite = strict_yaml.fill(Suite, document.content, document)
    _check_names(suite, document)
    return suite, document


def _shipped() -> Any:
    return resources.files("pybench.suites")


def _find(path_or_name: str) -> Path:
    if Path(path_or_name).is_file():
        return Path(path_or_name)
    # Also the path that the documentation shows, where no checkout is: suites/mvtec_rto.yaml.
    name = Path(path_or_name).name.removesuffix(".yaml")
    looks_shipped = path_or_name in (name, f"suites/{name}.yaml")
    if looks_shipped and name in suite_names():
        return Path(str(_shipped() / f"{name}.yaml"))
    raise InputError(f"{path_or_name}: no such file, and {unknown('suite', name, suite_names())}")


def _check_names(suite: Suite, document: Document) -> None:
    for index, dataset in enumerate(suite.datasets):
        _known("dataset", dataset.name, ("datasets", index, "name"), document)
        categories = registry.load("dataset", dataset.name).info.categories
        for position, category in enumerate(dataset.categories):
            if categories and category not in categories:
                place = document.where(("datasets", index, "categories", position))
                raise InputError(f"{place}: {unknown(f'category of {dataset.name}', category, categories)}")
        if not categories and not dataset.categories:
            raise InputError(
                f"{document.where(('datasets', index))}: {dataset.name} has no categories of its own; "
                "name yours (categories: [...])"
            )
    for index, method in enumerate(suite.methods):
        _known("method", method.name, ("methods", index, "name"), document)
    for index, metric in enumerate(suite.metrics):
        _known("metric", metric, ("metrics", index), document)
    used = [method.name for method in suite.methods]
    for profile, changes in suite.profiles.items():
        for name in changes.methods:
            if name not in used:
                place = document.where(("profiles", profile, "methods", name))
                raise InputError(f"{place}: {unknown('method of this suite', name, used)}")


def _known(kind: registry.Kind, name: str, path: strict_yaml.KeyPath, document: Document) -> None:
    if name not in registry.names(kind):
        raise InputError(f"{document.where(path)}: {unknown(kind, name, registry.names(kind))}")
