"""What the tests of MVTec LOCO AD and MVTec SL AD share: masks, and a trial whose maps are larger on bright defects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pybench import registry
from pybench.images.loading import fingerprint
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.records import Record
from pybench.trial.job import Job
from pybench.trial.run_trial import run_trial
from pybench.trial.samples import load_samples

SIZE = 64


def square(top: int, left: int, side: int, value: int) -> NDArray[np.int64]:
    mask = np.zeros((SIZE, SIZE), np.int64)
    mask[top : top + side, left : left + side] = value
    return mask


def trial(root: Path, plugins: Path, tmp_path: Path, dataset: str, category: str, at: str) -> Record:
    """The record of the method ``difference``, whose maps are larger on the bright defects."""
    registry.add_plugins(plugins)
    suite = tmp_path / "logical.yaml"
    lines = [
        "name: logical", "title: t", f"datasets: [{{name: {dataset}, categories: [{category}]}}]",
        "methods: [{name: difference}]", f"protocol: {{evaluate_at: {at}}}", "latency: null",
        "metrics: [image_auroc_structural, image_auroc_logical, image_auroc_sl_mean, auspro_05, aupro_05]",
    ]  # fmt: skip
    suite.write_text("\n".join(lines))
    [spec] = plan(*load_suite(str(suite)), profile="paper", data_root=root).specs
    samples = load_samples(spec, root)
    seen = fingerprint([*samples.train, *samples.test])
    return run_trial(Job(spec, root, (plugins,), seen, "", {})).record
