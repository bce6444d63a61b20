"""Suites: strict YAML files that name datasets, methods, metrics, seeds and profiles."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pybench import registry
from pybench.planning import strict_yaml
from pybench.planning.search_space import suite_space
from pybench.planning.strict_yaml import Document
from pybench.registry import unknown
from pybench.spec import Protocol, RtoOptions
from pybench.types import InputError

ProfileName = Literal["paper", "quick", "smoke"]
Seeds = tuple[Annotated[int, Field(ge=0, lt=2**63)], ...]  # what torch takes


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetEntry(_Strict):
    """A dataset of a suite; without ``categories`` it stands for all of them."""

    name: str
    categories: tuple[str, ...] = ()
    options: dict[str, Any] = {}
    rto: RtoOptions | None = None


class MethodEntry(_Strict):
    """A method with fixed ``params`` and lists of values to combine (``grid``); ``label`` heads its table columns,
    which are sorted by label. ``search`` says what ``pybench tune`` tries: parameter -> ``{low, high, log}`` or a list
    of choices."""

    name: str
    label: str = Field("", max_length=60)
    params: dict[str, Any] = {}
    grid: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = {}
    search: dict[str, Any] = {}


class LatencyProtocol(_Strict):
    """How long a latency measurement goes on: ``calls`` or ``seconds``, whichever comes first, at least 30 calls,
    divided among the ``processes``. Throughput is measured at each of the ``batch_sizes``."""

    calls: int = Field(1024, ge=30)
    seconds: float = Field(60, gt=0)
    processes: int = Field(3, ge=1, le=20)
    batch_sizes: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = (1, 8, 32)


LATENCY_OF_PROFILE = {
    "paper": LatencyProtocol(),
    "quick": LatencyProtocol(calls=128, seconds=5),
    "smoke": LatencyProtocol(calls=30, seconds=1, processes=1),
}  # where no suite says otherwise


class ResourcesRequest(_Strict):
    """The resources that a suite asks for; ``auto`` is resolved before a trial's key is computed."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = "auto"
    backend: Literal["auto", "cuda", "avx512", "avx2", "portable", "reference"] = "auto"


class TrialLimits(_Strict):
    """What a trial may use; no part of its key, because no result depends on it."""

    minutes: float = Field(1440, gt=0, description="a trial that runs longer is stopped and recorded as a timeout")
    gpus: float | None = Field(
        None, gt=0, description="GPUs, or the share of one, that a trial on a GPU asks for; none: what its method says"
    )
    memory_gb: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="memory that a trial asks for (1 GB is 2**30 bytes); none: what its method says",
    )

    @field_validator("gpus")
    @classmethod
    def _shares_one_or_whole(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and not gpus.is_integer():
            raise ValueError(f"{gpus:g} GPUs cannot be shared out; expected at most 1, or a whole number")
        return gpus


class Profile(_Strict):
    """What a profile changes in the suite: budgets, never definitions. ``categories`` maps a dataset of the suite to
    the categories that the profile keeps."""

    categories: dict[str, tuple[str, ...]] = {}
    protocol: dict[str, Any] = {}
    methods: dict[str, dict[str, Any]] = {}
    standin: dict[str, Any] = {}
    latency: LatencyProtocol | None = None
    seeds: Seeds | None = Field(None, min_length=1)


class Suite(_Strict):
    """A suite as it is written in its file."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    datasets: tuple[DatasetEntry, ...] = Field(min_length=1)
    methods: tuple[MethodEntry, ...] = Field(min_length=1)
    metrics: tuple[str, ...] = ()
    seeds: Seeds = Field((0,), min_length=1)
    data_seeds: Seeds = Field((0,), min_length=1)
    protocol: Protocol = Protocol()
    latency: LatencyProtocol | None = LatencyProtocol()
    resources: ResourcesRequest = ResourcesRequest()
    limits: TrialLimits = TrialLimits()
    profiles: dict[ProfileName, Profile] = {}


def suite_names() -> list[str]:
    """Names of the suites that come with pybench."""
    return sorted(file.name.removesuffix(".yaml") for file in _shipped().iterdir() if file.name.endswith(".yaml"))


def is_suite(path_or_name: str) -> bool:
    """Whether this is the path of a file, or the name of a suite that comes with pybench."""
    try:
        _find(path_or_name)
    except InputError:
        return False
    return True


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


def on_other_datasets(suite: Suite, datasets: list[str]) -> Suite:
    """The suite with its datasets replaced, each given as ``NAME`` or ``NAME:CATEGORY,CATEGORY``.

    Raises:
        InputError: an unknown dataset or category, or a dataset without categories of its own of which none is named.
    """
    entries = []
    for text in datasets:
        name, _, listed = text.partition(":")
        entry = DatasetEntry(name=name, categories=tuple(filter(None, listed.split(","))))
        _check_dataset(entry, f"--dataset {text}", [f"--dataset {text}"] * len(entry.categories))
        entries.append(entry)
    return suite.model_copy(update={"datasets": tuple(entries)})


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
        keys = [("datasets", index, "categories", position) for position in range(len(dataset.categories))]
        _check_dataset(dataset, document.where(("datasets", index)), [document.where(key) for key in keys])
    for index, method in enumerate(suite.methods):
        _known("method", method.name, ("methods", index, "name"), document)
        if method.search:
            params = registry.load("method", method.name).Params
            suite_space(method.search, params, document, ("methods", index, "search"))
    for index, metric in enumerate(suite.metrics):
        _known("metric", metric, ("metrics", index), document)
    methods, datasets = [method.name for method in suite.methods], [dataset.name for dataset in suite.datasets]
    for profile, changes in suite.profiles.items():
        for what, key, names, known in (
            ("method", "methods", changes.methods, methods),
            ("dataset", "categories", changes.categories, datasets),
        ):
            for name in names:
                if name not in known:
                    place = document.where(("profiles", profile, key, name))
                    raise InputError(f"{place}: {unknown(f'{what} of this suite', name, known)}")
        for name, kept in changes.categories.items():
            at = ("profiles", profile, "categories", name)
            places = [document.where((*at, position)) for position in range(len(kept))]
            _check_dataset(DatasetEntry(name=name, categories=kept), document.where(at), places)


def _check_dataset(dataset: DatasetEntry, place: str, places: list[str]) -> None:
    """Check that a dataset and its categories are known. Errors name ``place``, and ``places`` for the categories."""
    if dataset.name not in registry.names("dataset"):
        raise InputError(f"{place}: {unknown('dataset', dataset.name, registry.names('dataset'))}")
    known = registry.load("dataset", dataset.name).info.categories
    for category, where in zip(dataset.categories, places, strict=True):
        if known and category not in known:
            raise InputError(f"{where}: {unknown(f'category of {dataset.name}', category, known)}")
    if not known and not dataset.categories:
        raise InputError(
            f"{place}: {dataset.name} has no categories of its own; name yours (categories: [...] in the suite, "
            "--dataset NAME:CATEGORY,CATEGORY on the command line)"
        )


def _known(kind: registry.Kind, name: str, path: strict_yaml.KeyPath, document: Document) -> None:
    if name not in registry.names(kind):
        raise InputError(f"{document.where(path)}: {unknown(kind, name, registry.names(kind))}")
