"""The stand-in's folders: MVTec's layout, all or nothing, and nothing to do the second time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pybench.datasets.standin import generate as generating
from pybench.datasets.standin.catalogue import CATEGORIES
from pybench.datasets.standin.generate import generate
from pybench.types import InputError

FEW = {"train": 2, "test_good": 1, "test_per_defect": 1, "size": 64, "seed": 0}


def files(root: Path) -> dict[str, str]:
    """Digest of every file below a folder."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_writes_mvtecs_layout(tmp_path: Path) -> None:
    generate(tmp_path, ["tile"], **FEW)
    pictures = {name for name in files(tmp_path) if name.endswith(".png")}
    expected = {"tile/train/good/000.png", "tile/train/good/001.png", "tile/test/good/000.png"}
    for kind in CATEGORIES["tile"].defects:
        expected |= {f"tile/test/{kind}/000.png", f"tile/ground_truth/{kind}/000_mask.png"}
    assert pictures == expected
    picture = Image.open(tmp_path / "tile/test/crack/000.png")
    mask = Image.open(tmp_path / "tile/ground_truth/crack/000_mask.png")
    assert (picture.mode, picture.size) == ("RGB", (64, 64))
    assert (mask.mode, mask.size) == ("L", (64, 64))
    assert set(np.unique(np.asarray(mask))) == {0, 255}


def test_second_time_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(tmp_path, ["wood"], **FEW)
    before = files(tmp_path)
    monkeypatch.setattr(generating, "render", lambda *_: pytest.fail("rendered again"))
    generate(tmp_path, ["wood"], **FEW)
    assert files(tmp_path) == before


def test_interruption_leaves_no_half_category(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = generating.render, []

    def interrupted(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(generating, "render", interrupted)
        with pytest.raises(KeyboardInterrupt):
            generate(tmp_path, ["tile"], **FEW)
    assert list(tmp_path.iterdir()) == []
    generate(tmp_path, ["tile"], **FEW)
    generate(tmp_path / "undisturbed", ["tile"], **FEW)
    assert files(tmp_path / "tile") == files(tmp_path / "undisturbed" / "tile")


def test_the_first_to_finish_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process completes the category while this one still writes it."""
    real, calls = generating.render, []

    def overtaken(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            with monkeypatch.context() as patch:
                patch.setattr(generating, "render", real)
                generate(tmp_path, ["wood"], **FEW)
        return real(*arguments)

    monkeypatch.setattr(generating, "render", overtaken)
    generate(tmp_path, ["wood"], **FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["wood"]


def test_refuses_a_folder_made_otherwise(tmp_path: Path) -> None:
    generate(tmp_path, ["wood"], **FEW)
    with pytest.raises(InputError, match="'seed': 1"):
        generate(tmp_path, ["wood"], **{**FEW, "seed": 1})


def test_refuses_an_unknown_category(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'woood'"):
        generate(tmp_path, ["woood"], **FEW)
