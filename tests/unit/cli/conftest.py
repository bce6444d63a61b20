"""A small suite, its data and its plug-ins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pybench import registry
from tests.unit.cli.invoked import METHOD, SUITE


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two categories of tiny images, a suite over them, and two methods of which one fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYBENCH_DATA", raising=False)
    monkeypatch.setattr(registry, "_plugin_folders", [])
    random = np.random.default_rng(0)
    for category in ("lid", "nut"):
        for folder in ("ok", "nok", "masks"):
            (tmp_path / "data" / category / folder).mkdir(parents=True)
        for index in range(10):
            picture = random.integers(80, 120, (32, 32, 3), np.uint8)
            mask = np.zeros((32, 32), np.uint8)
            folder = "ok" if index < 6 else "nok"
            if folder == "nok":
                mask[4:10, 5:12] = 255
                picture[mask > 0] = 200
                Image.fromarray(mask).save(tmp_path / "data" / category / "masks" / f"{index}.png")
            Image.fromarray(picture).save(tmp_path / "data" / category / folder / f"{index}.png")
    (tmp_path / "mine" / "methods").mkdir(parents=True)
    for name, body in (("bright", "pass"), ("fails", "raise RuntimeError('lens cap on')")):
        text = METHOD.format(cls=name.title(), name=name, body=body)
        (tmp_path / "mine" / "methods" / f"{name}.py").write_text(text)
    (tmp_path / "parts.yaml").write_text(SUITE)
    return tmp_path
