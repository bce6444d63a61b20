"""A tiny data set, suite and plug-in methods with which the whole path can be run in seconds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pybench import registry

SIZE = 40
os.environ["PYBENCH_OFFLINE"] = "1"  # no test may depend on whether weights can be downloaded here
os.environ["PYBENCH_FEATURE_CACHE_GB"] = "0"  # tests of the cache bring a folder of their own
os.environ["PYBENCH_FITTED_GB"] = "0"  # those of kept states, too

# Methods that are fast, that fail in every way a method can fail, or that wait.
PLUGIN = '''
"""{doc}"""

import os, signal, time
from pathlib import Path

import torch

from pybench import Citation, Geometry, Method, MethodParams, Prediction


class Params(MethodParams):
    image_size: int = 32
    marker: str = ""


class Plugin(Method):
    name = "{name}"
    Params = Params
    paper = Citation("none", "the tests", 2026)

    def fit(self, train):
        self.mean = torch.cat([Geometry.of(self.params).to_input(batch) for batch in train.batches(4)]).mean(0)
        {fit}

    def predict(self, images):
        maps = (Geometry.of(self.params).to_input(images) - self.mean).abs().mean(1)
        scores = maps.amax((1, 2))
        {predict}
        return Prediction(scores, maps)

    def state_dict(self):
        return {{"mean": self.mean}}

    def load_state_dict(self, state):
        self.mean = state["mean"]
'''
PLUGINS = {
    "difference": ("Absolute difference to the mean normal image.", "pass", "pass"),
    "raising": ("Raises while fitting.", "raise ValueError('the lamp is broken')", "pass"),
    "nan_scores": ("Returns NaN.", "pass", "scores[0] = float('nan')"),
    "wrong_shape": ("Returns a map of the wrong shape.", "pass", "maps = maps[:, ::2]"),
    "no_maps": ("Gives scores only.", "pass", "maps = None"),
    "segfault": ("Kills its process.", "os.kill(os.getpid(), signal.SIGSEGV)", "pass"),
    "spends": ("Says that 100 s of its fit were another's.", "self.context.spend('sharpening', 100.0)", "pass"),
    "flaky": (
        "Kills its process the first time.",
        "marker = Path(self.params.marker); there = marker.exists(); marker.touch(); "
        "there or os.kill(os.getpid(), signal.SIGKILL)",
        "pass",
    ),
    "hangs": ("Never comes to an end.", "self.context.report('half way'); time.sleep(3600)", "pass"),
    "greedy": (
        "Has memory for one image only.",
        "pass",
        'if len(images) > 1: raise RuntimeError("DefaultCPUAllocator: can\'t allocate memory")',
    ),
    "unloadable": (
        "Is well where it was fitted, and kills its process where it was loaded.",
        "self.fitted_here = True",
        "hasattr(self, 'fitted_here') or os.kill(os.getpid(), signal.SIGKILL)",
    ),
    "slow": ("Takes its time.", "time.sleep(0.5)", "pass"),
    "pools": (
        "Fails, and says how many threads its libraries would start.",
        "import numpy, faiss; from threadpoolctl import threadpool_info; "
        "raise ValueError(sorted({pool['num_threads'] for pool in threadpool_info()} | {torch.get_num_threads()}))",
        "pass",
    ),
    "waits": (
        "Says that it waits, and does until its marker file is there.",
        "self.context.report('waiting')\n        while not Path(self.params.marker).exists(): time.sleep(0.02)",
        "pass",
    ),
}


@pytest.fixture(scope="session", autouse=True)
def _own_temporary_folder() -> Iterator[None]:
    """The lock between trials and latency measurements lies there: other runs on this machine must not hold tests up.

    Not below pytest's folder, because the paths of Ray's sockets are limited to 107 bytes.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(autouse=True)
def _unchanged_process() -> Iterator[None]:
    """Threads, random state and plug-in folders are as they were, whatever a test does. One thread, because tests run
    beside each other and a pool that waits for a busy core is slow."""
    threads, state, folders = torch.get_num_threads(), torch.get_rng_state(), list(registry._plugin_folders)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    registry._plugin_folders[:] = folders


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """Two categories of small noisy images in the ``folder`` data set's layout: a square is the defect."""
    root = tmp_path / "data"
    for category in ("lid", "plate"):
        generator = np.random.default_rng(len(category))
        for number in range(10):
            _save(root / category / "ok" / f"{number}.png", _picture(generator))
        for number in range(4):
            picture, mask = _picture(generator), np.zeros((SIZE, SIZE), np.uint8)
            row, column = generator.integers(4, SIZE - 12, 2)
            window = np.s_[row : row + 8, column : column + 8]
            picture[window] = 255 - picture[window]
            mask[window] = 255
            _save(root / category / "nok" / "dent" / f"{number}.png", picture)
            _save(root / category / "masks" / "dent" / f"{number}.png", mask)
    return root


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A plug-in folder with the methods above."""
    folder = tmp_path / "plugins"
    (folder / "methods").mkdir(parents=True)
    for name, (doc, fit, predict) in PLUGINS.items():
        (folder / "methods" / f"{name}.py").write_text(PLUGIN.format(name=name, doc=doc, fit=fit, predict=predict))
    return folder


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Path]:
    """Writes a suite file over the tiny data set with the methods named, and any further YAML lines."""

    def write(*methods: str, extra: str = "latency: null", categories: str = "[lid, plate]") -> Path:
        lines = [
            "name: tiny",
            "title: A tiny suite",
            "datasets:",
            "  - name: folder",
            f"    categories: {categories}",
            '    options: {normal: "{category}/ok", defective: "{category}/nok", masks: "{category}/masks"}',
            "methods:",
            *(f"  - name: {name}" for name in methods),
            extra,
        ]
        file = tmp_path / "tiny.yaml"
        file.write_text("\n".join(lines) + "\n")
        return file

    return write


def _picture(generator: np.random.Generator) -> np.ndarray:
    ramp = np.linspace(60, 180, SIZE)[:, None, None] + np.zeros((SIZE, SIZE, 3))
    return np.clip(ramp + generator.normal(0, 6, ramp.shape), 0, 255).astype(np.uint8)


def _save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
