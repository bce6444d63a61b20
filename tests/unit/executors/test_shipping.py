"""What travels to a node that shares no disk with the driver, and how it is kept there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pybench.executors import shipping
from pybench.images.loading import fingerprint
from pybench.trial.job import Job
from pybench.trial.samples import TrialData, load_samples
from pybench.types import InputError, Sample


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """An empty file, one of a byte, and one that is larger than the chunks of these tests."""
    contents = {"b/large": bytes(range(256)) * 5, "a/one": b"1", "empty": b""}
    for name, content in contents.items():
        path = tmp_path / "sent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {name: tmp_path / "sent" / name for name in contents}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def of(samples: TrialData) -> str:
    return fingerprint([*samples.train, *samples.test])


def broken(*chunks: bytes) -> Iterator[bytes]:
    yield from chunks
    raise KeyboardInterrupt


@pytest.mark.parametrize("size", [1, 7, 256, 1281, 4096])
def test_files_arrive_as_they_were(files: dict[str, Path], tmp_path: Path, size: int) -> None:
    chunks = list(shipping.chunks(files, size))
    assert {len(chunk) for chunk in chunks[:-1]} <= {size}
    folder = shipping.unpack(shipping.contents(files), chunks, tmp_path / "cache")
    assert tree(folder) == tree(tmp_path / "sent")


def test_the_folder_is_named_for_names_and_contents(files: dict[str, Path]) -> None:
    key = shipping.contents(files).key
    assert shipping.contents(dict(reversed(files.items()))).key == key
    assert shipping.contents({**files, "c/one": files["a/one"]}).key != key
    files["empty"].write_bytes(b"x")
    assert shipping.contents(files).key != key


def test_a_worker_that_dies_leaves_no_part(files: dict[str, Path], tmp_path: Path) -> None:
    contents, cache = shipping.contents(files), tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        shipping.unpack(contents, broken(b"1" * 10), cache)
    assert not (cache / contents.key).exists()
    folder = shipping.unpack(contents, shipping.chunks(files), cache)
    assert tree(folder) == tree(tmp_path / "sent")
    assert not list(cache.glob("*.partial"))


def test_a_stream_that_ends_too_early_is_an_error(files: dict[str, Path], tmp_path: Path) -> None:
    contents = shipping.contents(files)
    with pytest.raises(InputError, match="ends too early"):
        shipping.unpack(contents, [b"1"], tmp_path / "cache")
    assert not (tmp_path / "cache" / contents.key).exists()


def test_workers_of_a_node_fetch_once(files: dict[str, Path], tmp_path: Path) -> None:
    contents, begun, go_on = shipping.contents(files), threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        begun.set()
        go_on.wait()
        yield from shipping.chunks(files)

    first = threading.Thread(target=shipping.unpack, args=(contents, slow(), tmp_path / "cache"))
    first.start()
    begun.wait()
    found: list[Path] = []
    second = threading.Thread(target=lambda: found.append(shipping.unpack(contents, broken(), tmp_path / "cache")))
    second.start()
    go_on.set()
    first.join()
    second.join()
    assert tree(found[0]) == tree(tmp_path / "sent")


def test_a_cache_that_cannot_be_written_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        shipping.unpack(shipping.contents(files), shipping.chunks(files), tmp_path / "cache")


def test_samples_of_any_layout_keep_their_fingerprint(cache: Path, tmp_path: Path) -> None:
    """Frames and the masks of a whole clip in trees of their own, as in mSTC, and an image outside of both."""
    paths = [tmp_path / "set" / "frames" / "01" / f"{index:03}.png" for index in range(3)]
    mask, elsewhere = tmp_path / "set" / "masks" / "01.npy", tmp_path / "other" / "000.png"
    for path in (*paths, elsewhere, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.as_posix().encode())
    train = [Sample(paths[0]), Sample(elsewhere)]
    test = [Sample(path, 1, "event", (mask,), mask_frame=index) for index, path in enumerate(paths[1:])]
    samples = TrialData(train, test, ["a remark"])
    shipment, files = shipping.pack(samples)
    received = shipping.receive(shipment, shipping.chunks(files), "known")
    assert of(received) == of(samples)
    assert received.remarks == ["a remark"]
    assert all(sample.image.is_relative_to(cache) for sample in [*received.train, *received.test])


def test_a_node_finds_the_data_below_its_own_root_first(
    job: Job, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    data_root.rename(own)
    assert shipping.find(job.spec, job.fingerprint, data_root) is None
    monkeypatch.setenv("PYBENCH_DATA", str(own))
    found = shipping.find(job.spec, job.fingerprint, data_root)
    assert found is not None
    assert found.train[0].image.is_relative_to(own)
    next(own.glob("lid/ok/*.png")).unlink()
    assert shipping.find(job.spec, job.fingerprint, data_root) is None


def test_what_was_shipped_is_found_again_and_sent_again_where_it_is_damaged(
    job: Job, data_root: Path, tmp_path: Path
) -> None:
    shipment, files = shipping.pack(load_samples(job.spec, data_root))
    chunks = list(shipping.chunks(files))
    data_root.rename(tmp_path / "gone")
    samples = shipping.receive(shipment, chunks, job.fingerprint)
    assert shipping.find(job.spec, job.fingerprint, data_root) == samples
    samples.test[0].image.write_bytes(b"damaged")
    assert shipping.find(job.spec, job.fingerprint, data_root) is None
    assert of(shipping.receive(shipment, chunks, job.fingerprint)) == job.fingerprint


def test_plugins_travel_where_others_lie(cache: Path, plugins: Path) -> None:
    (plugins / "methods" / "_shared.txt").write_text("the plug-ins' own")
    (plugins / "methods" / "__pycache__").mkdir()
    (plugins / "methods" / "__pycache__" / "x.pyc").write_text("x")
    packed = shipping.pack_plugins(plugins)
    assert shipping.place_plugins(packed) == plugins
    elsewhere = replace(packed, folder=plugins.parent / "elsewhere")
    placed = shipping.place_plugins(elsewhere)
    assert placed.is_relative_to(cache)
    expected = {name: content for name, content in tree(plugins).items() if "__pycache__" not in name}
    assert tree(placed) == expected
