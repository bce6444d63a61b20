"""What travels to a node that shares no disk with the driver, and how it is kept there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pybench import registry
from pybench.executors import node, shipping
from pybench.executors.demand import Demand
from pybench.executors.node import Lacking, Order, Refused
from pybench.images.loading import fingerprint
from pybench.planning.plan import Plan, plan
from pybench.planning.suite import load_suite
from pybench.results.store import Store
from pybench.run.job_factory import JobFactory
from pybench.trial.run_trial import Job, Outcome
from pybench.trial.samples import TrialData, load_samples
from pybench.types import InputError, Sample


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a node that has no data of its own."""
    monkeypatch.delenv("PYBENCH_DATA", raising=False)
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """An empty file, one of a byte, and one that is larger than the chunks of these tests."""
    contents = {"b/large": bytes(range(256)) * 5, "a/one": b"1", "empty": b""}
    for name, content in contents.items():
        path = tmp_path / "sent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {name: tmp_path / "sent" / name for name in contents}


@pytest.fixture
def planned(data_root: Path, plugins: Path, write_suite: Callable[..., Path]) -> Callable[..., Plan]:
    def make(**overrides: str) -> Plan:
        registry.add_plugins(plugins)
        named = {name.replace("_", ".", 1): value for name, value in overrides.items()}
        suite = load_suite(str(write_suite("difference", categories="[lid]")))
        return plan(*suite, profile="paper", data_root=data_root, overrides=named)

    return make


@pytest.fixture
def job(planned: Callable[..., Plan], cache: Path, tmp_path: Path) -> Job:
    made = planned()
    return JobFactory(made, Store(tmp_path / "results" / "tiny")).make(made.specs[0])


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


def test_a_stream_that_ends_too_early_is_told(files: dict[str, Path], tmp_path: Path) -> None:
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


def test_a_trial_is_sent_back_for_its_data_then_runs(job: Job, data_root: Path, tmp_path: Path) -> None:
    shipment, files = shipping.pack(load_samples(job.spec, data_root))
    chunks = list(shipping.chunks(files))
    here = node.trial(Order(job, (), None, ()))
    data_root.rename(tmp_path / "gone")
    assert isinstance(node.trial(Order(job, (), None, ())), Lacking)
    there = node.trial(Order(job, (), shipment, chunks))
    assert isinstance(here, Outcome)
    assert isinstance(there, Outcome)
    assert there.record.status == "ok"
    assert there.record.metrics == here.record.metrics
    assert there.record.fingerprint == here.record.fingerprint


def test_other_sources_are_refused(job: Job) -> None:
    told = node.trial(Order(replace(job, code_version="0" * 16), (), None, ()))
    assert isinstance(told, Refused)
    assert "not 0000000000000000" in told.reason


def test_a_method_that_a_node_does_not_know_is_refused(job: Job) -> None:
    registry._plugin_folders.clear()
    told = node.trial(Order(job, (), None, ()))
    assert isinstance(told, Refused)
    assert "unknown method 'difference'" in told.reason


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


def test_checkpoints_stay_on_a_node_that_does_not_see_the_run(job: Job, cache: Path) -> None:
    assert job.underway is not None
    prepared = node.prepared(Order(job, (), None, ()))
    assert isinstance(prepared, Job)
    assert prepared.underway == cache / "underway" / job.underway.name
    job.underway.parent.mkdir(parents=True)
    seen = node.prepared(Order(job, (), None, ()))
    assert isinstance(seen, Job)
    assert seen.underway == job.underway


def test_limits_say_what_a_trial_asks_for_and_are_no_part_of_its_key(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    plain, limited = planned(), planned(limits_gpus="0.25", limits_memory_gb="1.5")
    assert [spec.key() for spec in plain.specs] == [spec.key() for spec in limited.specs]
    job = JobFactory(limited, Store(tmp_path / "run")).make(limited.specs[0])
    assert Demand.of(job) == Demand(1, 0, int(1.5 * 2**30))
    on_gpu = job.spec.model_copy(update={"resources": job.spec.resources.model_copy(update={"device": "cuda"})})
    demand = Demand.of(replace(job, spec=on_gpu))
    assert (demand.options()["num_gpus"], demand.options()["memory"]) == (0.25, 3 * 2**29)
    assert demand.options()["runtime_env"]["env_vars"]["OPENBLAS_NUM_THREADS"] == "1"
    assert str(demand) == "1 core, 0.25 GPU, 1.5 GB of memory"
    assert demand.fits({"CPU": 1.0, "GPU": 1.0, "memory": 2.0**31})
    assert not demand.fits({"CPU": 1.0, "memory": 2.0**31})


def test_a_method_says_what_its_trials_need(job: Job) -> None:
    cls = registry.load("method", "difference")
    assert Demand.of(job) == Demand(1, 0, 0)
    assert "memory" not in Demand.of(job).options()
    cls.memory_gb = 2
    assert Demand.of(job).memory == 2 * 2**30
    assert Demand.of(replace(job, memory_gb=1)).memory == 2**30


@pytest.mark.parametrize(("value", "message"), [("1.5", "expected at most 1"), ("0", "greater than 0"), ("2", "")])
def test_gpus_are_a_share_or_whole(planned: Callable[..., Plan], value: str, message: str) -> None:
    if not message:
        assert planned(limits_gpus=value).limits.gpus == 2
        return
    with pytest.raises(InputError, match=rf"limits.gpus: .*{message}"):
        planned(limits_gpus=value)
