"""Nodes that share no disk with the driver, on a cluster of this machine.

The data root is ``/proc/self/cwd/data``, a path that every process sees its own way, as on several machines: the driver
has the data there, the nodes' workers were started in an empty folder. Each node has a cache of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from pybench import registry
from pybench.executors import Executor
from pybench.executors.inline import InlineExecutor
from pybench.executors.ray import RayExecutor
from pybench.planning.plan import Plan, plan
from pybench.planning.suite import load_suite
from pybench.records import Record
from pybench.results.store import Store
from pybench.run.job_factory import JobFactory
from pybench.run.run_plan import run
from pybench.trial.job import Job
from pybench.types import InputError
from tests.cluster.listeners import Quiet

ray_cluster = pytest.importorskip("ray.cluster_utils")
DATA = Path("/proc/self/cwd/data")

if not Path("/proc/self/cwd").exists():
    pytest.skip("needs /proc, by which processes see different files at one path", allow_module_level=True)


@dataclass
class Nodes:
    """The cluster, and a folder for each of two nodes that run trials: its cache, and packages that only it has."""

    cluster: Any
    folders: tuple[Path, Path]

    @property
    def address(self) -> str:
        return str(self.cluster.address)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """The first node is the driver's, and runs nothing. Libraries would start two threads each if nobody forbade it."""
    folder = tmp_path_factory.mktemp("nodes")
    (folder / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "empty")
        patch.delenv("PYBENCH_DATA", raising=False)
        cluster = ray_cluster.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        folders = folder / "first", folder / "second"
        for own in folders:
            (own / "packages").mkdir(parents=True)
            environment = {
                "PYBENCH_CACHE": str(own / "cache"),
                "PYTHONPATH": str(own / "packages"),
                "OMP_NUM_THREADS": "2",
            }
            cluster.add_node(num_cpus=1, env_vars=environment)
        yield Nodes(cluster, folders)
        cluster.shutdown()


@pytest.fixture
def make_plan(
    data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Plan]:
    """Plans over data and plug-ins that only this process sees."""
    monkeypatch.setenv("PYBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def make(*methods: str, extra: str = "latency: null") -> Plan:
        registry._plugin_folders.append(Path("/proc/self/cwd") / plugins.name)  # add_plugins would resolve it
        return plan(*load_suite(str(write_suite(*methods, extra=extra))), profile="paper", data_root=DATA)

    return make


@pytest.fixture
def executor(nodes: Nodes) -> Iterator[RayExecutor]:
    made = RayExecutor(nodes.address)
    yield made
    made.close()


def jobs(planned: Plan, folder: Path) -> list[Job]:
    made = JobFactory(planned, Store(folder))
    return [made.make(spec) for spec in planned.specs]


def by_name(records: list[Record]) -> dict[str, Record]:
    return {f"{record.spec.category}/{record.spec.method}": record for record in records}


def ran(planned: Plan, folder: Path, make: Callable[[], Executor]) -> dict[str, Record]:
    with closing(make()) as executor:
        results = run(planned, Store(folder), executor, force=False, listener=Quiet())
    return by_name([result.record for result in results])


def test_nodes_are_sent_data_and_plugins_once(nodes: Nodes, make_plan: Callable[..., Plan], tmp_path: Path) -> None:
    planned = make_plan("difference", "no_maps", extra="latency: {calls: 30, seconds: 0.1, processes: 1}")
    there = ran(planned, tmp_path / "there", lambda: RayExecutor(nodes.address))
    here = ran(planned, tmp_path / "here", InlineExecutor)
    assert {name: record.status for name, record in there.items()} == dict.fromkeys(here, "ok")
    for name, record in there.items():
        assert record.metrics == here[name].metrics
        assert record.fingerprint == here[name].fingerprint
        assert not record.attempts
    assert all(result.latency for result in Store(tmp_path / "there").results())
    caches = [folder / "cache" / "shipped" for folder in nodes.folders]
    folders = {path.name for cache in caches for path in cache.glob("*") if path.is_dir()}
    assert len(folders) == 3  # two categories and the plug-ins, whichever node took them
    assert not [path for cache in caches for path in cache.glob(".*")]
    assert not (tmp_path / "cache").exists()


def test_libraries_start_as_many_threads_as_the_spec_says(
    executor: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (job, *_) = jobs(make_plan("pools"), tmp_path / "run")
    assert job.spec.resources.threads == 1
    (outcome,) = executor.run([job])
    assert outcome.record.reason == "ValueError: [1]"


def test_a_node_with_other_sources_is_refused_by_name(
    nodes: Nodes,
    executor: RayExecutor,
    make_plan: Callable[..., Plan],
    plugins: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The method comes with a package that the second node has in another version."""
    source = (plugins / "methods" / "difference.py").read_text().replace('"difference"', '"foreign_difference"')
    for folder, remark in zip(nodes.folders, ("", "# another version\n"), strict=True):
        packages = folder / "packages"
        (packages / "foreign_difference.py").write_text(remark + source)
        (packages / "foreign-1.0.dist-info").mkdir()
        (packages / "foreign-1.0.dist-info" / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: foreign\nVersion: 1\n"
        )
        entry = "[pybench.methods]\nforeign_difference = foreign_difference\n"
        (packages / "foreign-1.0.dist-info" / "entry_points.txt").write_text(entry)
    monkeypatch.syspath_prepend(nodes.folders[0] / "packages")
    invalidate_caches()
    registry._entry_points.cache_clear()
    try:
        planned = make_plan("foreign_difference", extra="latency: null\nseeds: [0, 1]")
        outcomes = list(executor.run(jobs(planned, tmp_path / "run")))
    finally:
        registry._entry_points.cache_clear()
    assert [(outcome.record.status, outcome.record.attempts) for outcome in outcomes] == [("ok", [])] * 4
    warnings = [record.message for record in caplog.records if "is refused" in record.message]
    assert len(warnings) == 1
    assert "its sources of foreign_difference or of pybench differ from the driver's" in warnings[0]


def test_where_all_nodes_are_refused_the_run_ends(
    executor: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (job, *_) = jobs(make_plan("difference"), tmp_path / "run")
    with pytest.raises(InputError, match=r"is refused(.|\n)*is refused: .*install the same pybench on every node"):
        list(executor.run([replace(job, code_version="0" * 16)]))


def test_what_no_node_has_is_an_error_at_once(
    executor: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (job, *_) = jobs(make_plan("difference"), tmp_path / "run")
    on_gpu = job.spec.model_copy(update={"resources": job.spec.resources.model_copy(update={"device": "cuda"})})
    with pytest.raises(
        InputError, match=r"no node of this cluster can run difference, which asks for 1 core, 2 GPUs \("
    ):
        list(executor.run([replace(job, spec=on_gpu, gpus=2)]))
    with pytest.raises(InputError, match=r"asks for 1 core, 1e\+06 GB of memory"):
        list(executor.run([replace(job, memory_gb=1e6)]))


def test_a_node_without_pybench_is_named(
    nodes: Nodes, executor: RayExecutor, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """It alone has room for the trial; on it, importing pybench fails."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n\n\nclass Nothing:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'pybench':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}')\n\n\n"
        "sys.meta_path.insert(0, Nothing())\n"
    )
    (job, *_) = jobs(make_plan("difference"), tmp_path / "run")
    large = job.spec.model_copy(update={"resources": job.spec.resources.model_copy(update={"threads": 3})})
    node = nodes.cluster.add_node(num_cpus=3, env_vars={"PYTHONPATH": str(tmp_path)})
    try:
        with pytest.raises(InputError, match=r"node \S+ cannot load pybench \(.*No module named 'pybench'"):
            list(executor.run([replace(job, spec=large)]))
    finally:
        nodes.cluster.remove_node(node)
