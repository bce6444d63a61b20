"""pybench data: what was found, what is unusable, contact sheets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.cli.invoked import invoke


def test_data_list_says_what_was_found(parts: Path) -> None:
    (parts / "data" / "mvtec_ad").mkdir()
    rows = json.loads(invoke("data", "list", "--data-root", "data", "--format", "json").stdout)
    found = {row["name"]: row["found"] for row in rows}
    assert found["mvtec_ad"] == str(parts / "data" / "mvtec_ad")
    assert found["magnetic_tile"] == f"not found: {parts / 'data' / 'magnetic_tile'}"
    assert found["mvtec_ad_standin"] == "drawn on first use"


def test_data_list_without_a_data_root(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYBENCH_DATA", raising=False)
    found = {row["name"]: row["found"] for row in json.loads(invoke("data", "list", "--format", "json").stdout)}
    assert found["magnetic_tile"] == "no data root given"
    assert found["elpv"].endswith("elpv_dataset/data"), "in a package, installed or not"


def test_data_check_counts_and_names_what_is_unusable(parts: Path) -> None:
    command = ["data", "check", "folder", "--data-root", "data", "--category", "lid", "--format", "json"]
    options = ["--set", "normal={category}/ok", "--set", "defective={category}/nok", "--set", "masks={category}/masks"]
    done = invoke(*command, *options)
    assert done.exit_code == 0
    (row,) = json.loads(done.stdout)
    assert (row["train"] + row["test good"], row["test defective"], row["annotated"], row["unusable"]) == (6, 4, 4, 0)

    file = parts / "data" / "lid" / "nok" / "7.png"
    file.write_bytes(file.read_bytes()[:200])
    Image.fromarray(np.full((5, 6), 255, np.uint8)).save(parts / "data" / "lid" / "masks" / "8.png")
    done = invoke(*command, *options)
    assert done.exit_code == 2
    assert json.loads(done.stdout)[0]["unusable"] == 2
    assert "7.png" in done.stderr
    assert "8.png" in done.stderr


def test_a_contact_sheet_is_drawn_per_category(tmp_path: Path) -> None:
    assert invoke("data", "sheet", "--to", str(tmp_path / "sheets"), "--category", "capsule").exit_code == 0
    with Image.open(tmp_path / "sheets" / "capsule.png") as sheet:
        assert sheet.width > 7 * 128, "normal images and six defect types"
    unknown = invoke("data", "sheet", "--to", str(tmp_path), "--category", "capsul")
    assert (unknown.exit_code, "did you mean 'capsule'" in unknown.stderr) == (2, True)
