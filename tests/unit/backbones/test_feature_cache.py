"""Features are extracted once on a machine, are the same from the cache, and what goes wrong with it ends no trial."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pybench.backbones import feature_cache
from pybench.backbones.feature_cache import FeatureCache
from pybench.disk import size_limit

FORK = multiprocessing.get_context("fork")
LAYERS = (2, 3)
GB = 2**30


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def extract(image: Tensor) -> list[Tensor]:
    """Two layers of different size and shape, channels last."""
    layers = [image.repeat(1, 2, 1, 1), image[..., ::2, ::2] * 3]
    return [layer.contiguous(memory_format=torch.channels_last) for layer in layers]


def never(image: Tensor) -> list[Tensor]:
    raise AssertionError("it is there already")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FeatureCache]]:
    """Caches of trials on the same folder; ``limit`` in bytes."""
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path))
    made: list[FeatureCache] = []

    def one(limit: int = GB, spend: Callable[[str, float], None] = lambda name, seconds: None) -> FeatureCache:
        monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", repr(limit / GB))
        made.append(FeatureCache(spend))
        return made[-1]

    yield one
    for cache in made:
        cache.close()


def files(folder: Path) -> list[Path]:
    return sorted((folder / "features").glob("*.npy"))


def test_maps_are_extracted_once_and_found_afterwards(make: Callable[..., FeatureCache]) -> None:
    spent: dict[str, float] = {}
    first, second = make(), make(spend=lambda name, seconds: spent.update({name: seconds}))
    expected = [torch.cat(layers) for layers in zip(*(extract(image[None]) for image in images()), strict=True)]
    for cache, how in ((first, extract), (second, never)):
        for found, wanted in zip(cache.maps("bone", LAYERS, images(), how), expected, strict=True):
            assert torch.equal(found, wanted)
            assert found.is_contiguous(memory_format=torch.channels_last)
    assert (first.extracted, first.found) == (4, 0)
    assert (second.extracted, second.found) == (0, 4)
    assert second.provenance() == {"features": {"extracted": 0, "found": 4}}
    assert spent["features"] == 0.0
    assert spent["feature_cache"] > 0


def test_methods_share_layers_in_any_batches_and_orders(make: Callable[..., FeatureCache]) -> None:
    make().maps("bone", LAYERS, images(), extract)
    assert torch.equal(make().maps("bone", (3,), images()[[2, 0]], never)[0], extract(images()[[2, 0]])[1])


def test_an_image_that_comes_twice_in_a_batch_is_extracted_once(make: Callable[..., FeatureCache]) -> None:
    cache = make()
    cache.maps("bone", LAYERS, images()[[0, 1, 0]], extract)
    assert (cache.extracted, cache.found) == (2, 1)


def test_another_image_layer_or_backbone_is_extracted(make: Callable[..., FeatureCache]) -> None:
    make().maps("bone", (2,), images(1), lambda image: extract(image)[:1])
    for backbone, layers, image in (("bone", LAYERS, images(1)), ("other", (2,), images(1)), ("bone", (2,), images(2))):
        cache = make()
        cache.maps(backbone, layers, image, extract if len(layers) == 2 else lambda image: extract(image)[:1])
        assert cache.extracted == 1


@pytest.mark.parametrize("damage", ["shorter", "changed", "retyped", "empty"])
def test_a_damaged_file_is_named_and_made_anew(make: Callable[..., FeatureCache], tmp_path: Path, damage: str) -> None:
    make().maps("bone", LAYERS, images(1), extract)
    file = files(tmp_path)[0]
    raw = file.read_bytes()
    changed = raw[:300] + bytes([raw[300] ^ 1]) + raw[301:]
    retyped = raw.replace(b"<f4", b"<i4")
    file.write_bytes({"shorter": raw[:-9], "changed": changed, "retyped": retyped, "empty": b""}[damage])
    cache = make()
    assert torch.equal(cache.maps("bone", LAYERS, images(1), extract)[0], extract(images(1))[0])
    assert cache.remarks == [f"{file} is damaged; made anew"]
    assert file.read_bytes() == raw


def test_the_least_recently_used_go_when_the_limit_is_reached(
    make: Callable[..., FeatureCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_limit, "_SPARED", 0)
    make().maps("bone0", LAYERS, images(1), extract)
    limit = 10 * sum(file.stat().st_size for file in files(tmp_path))
    for number in range(8):
        make(limit).maps(f"bone{number}", LAYERS, images(1), extract)
        for file in files(tmp_path):
            if file.name.startswith(f"bone{number}"):
                os.utime(file, (number, number))
    make(limit).maps("bone0", LAYERS, images(1), never)  # used just now
    for number in range(8, 20):
        make(limit).maps(f"bone{number}", LAYERS, images(1), extract)
        assert sum(file.stat().st_size for file in files(tmp_path)) <= limit
    names = {file.name.partition("-")[0] for file in files(tmp_path)}
    assert "bone19" in names
    assert not {"bone1", "bone2", "bone3"} & names


def test_maps_that_are_removed_stay_with_whoever_reads_them(
    make: Callable[..., FeatureCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().maps("bone", LAYERS, images(1), extract)
    mapped = feature_cache._mapped(files(tmp_path)[0])
    assert mapped is not None
    before = mapped.copy()
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "0")
    feature_cache.FOLDER.make_room(0)
    assert files(tmp_path) == []
    np.testing.assert_array_equal(mapped, before)


def test_a_full_disk_is_remarked_and_ends_nothing(
    make: Callable[..., FeatureCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, mode: str) -> None:
        os.close(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdopen", full)
    cache = make()
    for _ in range(2):
        assert torch.equal(cache.maps("bone", LAYERS, images(), extract)[1], extract(images())[1])
    assert cache.remarks == [f"features were not kept: {tmp_path / 'features'}: No space left on device"]
    assert cache.extracted == 8
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_remarked_and_ends_nothing(
    make: Callable[..., FeatureCache], tmp_path: Path
) -> None:
    (tmp_path / "features").write_text("")
    cache = make()
    assert torch.equal(cache.maps("bone", LAYERS, images(), extract)[1], extract(images())[1])
    assert any(remark.startswith("features were not kept") for remark in cache.remarks)


def ask_slowly(folder: Path) -> None:
    """Every extraction adds a line to ``folder/extracted``."""

    def slowly(image: Tensor) -> list[Tensor]:
        with (folder / "extracted").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.1)
        return extract(image)

    cache = FeatureCache(lambda name, seconds: None)
    (folder / f"{os.getpid()}.there").touch()
    while len(list(folder.glob("*.there"))) < 2:
        time.sleep(0.01)
    maps = cache.maps("bone", LAYERS, images(8), slowly)
    assert torch.equal(maps[0], extract(images(8))[0])
    assert cache.extracted + cache.found == 8


def test_two_processes_that_ask_at_once_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "1")
    processes = [FORK.Process(target=ask_slowly, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    by_whom = (tmp_path / "extracted").read_text().split()
    assert len(by_whom) == 8
    assert len(set(by_whom)) == 2


def test_a_limit_of_nothing_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "0")
    with feature_cache.opened(lambda name, seconds: None) as cache:
        assert feature_cache.active() is None
    monkeypatch.setenv("PYBENCH_FEATURE_CACHE_GB", "0.5")
    with feature_cache.opened(lambda name, seconds: None) as cache:
        assert feature_cache.active() is cache
    assert feature_cache.active() is None
