"""The contact sheet of a trial's worst examples, and what else it keeps of a method's artefacts."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pybench import registry
from pybench.executors.inline import InlineExecutor
from pybench.images.geometry import Geometry
from pybench.planning.plan import plan
from pybench.planning.suite import load_suite
from pybench.records import Record
from pybench.results.store import Store, load_results
from pybench.run.run_plan import run
from pybench.trial import worst_examples
from pybench.trial.worst_examples import Gallery
from pybench.types import Prediction, Sample
from tests.conftest import PLUGIN
from tests.unit.pictures import save
from tests.unit.run.running import Log

SIDE = 32
KEPT = Path(__file__).parents[1] / "results" / "kept_records"


def samples(folder: Path, labels: list[int]) -> list[Sample]:
    """Samples without images of their own; the defect is one pixel, at (20, 10)."""
    mask = np.zeros((SIDE, SIDE))
    mask[20, 10] = 255
    file = save(folder / "mask.png", mask)
    return [
        Sample(folder / f"{number}.png", label, "dent" if label else "good", (file,) if label else ())
        for number, label in enumerate(labels)
    ]


def greys(count: int) -> Tensor:
    """Images [B, 3, S, S], each of its own grey."""
    return (torch.arange(count) / count).view(-1, 1, 1, 1).expand(-1, 3, SIDE, SIDE)


def sheet(made: Gallery) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(made.png())))


def tiles(sheet: NDArray[np.uint8]) -> list[list[NDArray[np.uint8]]]:
    """The tiles of a sheet by row and column, found by its layout: sections have up to four rows."""
    tile, gap, line = worst_examples._TILE, worst_examples._GAP, worst_examples._LINE
    columns = (sheet.shape[1] - gap) // (tile + gap)
    starts, top = [], line
    while top < len(sheet):
        if sheet[top, 0].tolist() == [0, 0, 0]:  # a section's title
            top += line
        starts.append(top + line)
        top += line + tile + gap
    lefts = [gap + column * (tile + gap) for column in range(columns)]
    return [[sheet[top : top + tile, left : left + tile] for left in lefts] for top in starts]


def has(picture: NDArray[np.uint8], colour: NDArray[Any]) -> bool:
    return bool((picture == colour).all(2).any())


def test_the_worst_of_each_kind_are_shown_worst_first_whatever_the_batches(tmp_path: Path) -> None:
    count = 40
    labels = [number % 2 for number in range(count)]
    scores = torch.rand(count, generator=torch.Generator().manual_seed(0))
    worst = {
        1: sorted(range(1, count, 2), key=lambda number: float(scores[number]))[:4],
        0: sorted(range(0, count, 2), key=lambda number: -float(scores[number]))[:4],
    }
    shown = []
    for size in (7, 40):
        made, all_samples, images = Gallery(Geometry(SIDE)), samples(tmp_path, labels), greys(count)
        for start in range(0, count, size):
            part = slice(start, start + size)
            made.add(all_samples[part], images[part], Prediction(scores[part], None))
            assert all(len(examples) <= 4 for examples in made._worst.values()), "no more is kept than is shown"
        shown.append(sheet(made))
    assert np.array_equal(*shown)
    found = [int(row[0][64, 64, 0]) for row in tiles(shown[0])]
    assert found == [round(255 * number / count) for number in worst[1] + worst[0]]


def test_columns_are_the_image_what_the_method_shows_its_map_and_the_mask(tmp_path: Path) -> None:
    maps = torch.zeros(2, SIDE, SIDE)
    maps[0, :16], maps[1, 16:] = 1, 3
    artefacts = {"aligned": torch.tensor([0.25, 0.75]).view(2, 1, 1, 1).expand(2, 3, 8, 8), "shift": torch.ones(2, 3)}
    made = Gallery(Geometry(SIDE))
    made.add(samples(tmp_path, [1, 0]), greys(2), Prediction(torch.tensor([1.0, 3.0]), maps, artefacts))
    defective, normal = tiles(sheet(made))
    assert len(defective) == len(normal) == 4
    assert (np.unique(defective[1]), np.unique(normal[1])) == ([64], [191])
    low, high = worst_examples._SCALE[0], worst_examples._SCALE[-1]
    assert (defective[2][100, 60] == low).all(), "the lowest score of the sheet"
    assert (normal[2][100, 60] == high).all(), "the highest score of the sheet"
    assert not has(defective[2], high), "one scale for all rows"
    outline = (defective[3] == worst_examples._MASK).all(2)
    rows, columns = np.nonzero(outline)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (79, 84, 39, 44), "around pixel (20, 10), 4 times"
    assert not outline[80:84, 40:44].any(), "the defect itself is not covered"
    assert np.array_equal(normal[3], normal[0])


def test_small_defects_of_large_images_are_outlined() -> None:
    mask = np.zeros((512, 512), np.uint8)
    mask[301, 77] = 1
    assert np.argwhere(worst_examples._small_mask(mask)).tolist() == [[75, 19]]


def test_the_crop_of_the_input_is_what_is_shown(tmp_path: Path) -> None:
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[..., 8:24, 8:24] = 1
    made = Gallery(Geometry(SIDE, 16))
    made.add(samples(tmp_path, [0]), image, Prediction(torch.ones(1), torch.ones(1, 16, 16)))
    assert (tiles(sheet(made))[0][0] == 255).all()


def test_a_sheet_without_maps_masks_or_defective_images_and_with_any_name(tmp_path: Path) -> None:
    made = Gallery(Geometry(SIDE))
    name = tmp_path / f"{'Oberfläche' * 12}.png"
    made.add([Sample(name)], greys(1), Prediction(torch.ones(1), None))
    assert sheet(made).shape[:2] == (14 + 14 + 14 + 128 + 4, 4 + 2 * 132)
    unannotated = Gallery(Geometry(SIDE))
    unannotated.add([Sample(name, 1, "dent")], greys(1), Prediction(torch.ones(1), torch.ones(1, SIDE, SIDE)))
    ((image, _, mask),) = tiles(sheet(unannotated))
    assert np.array_equal(image, mask)


def test_the_scale_of_scores_rises_evenly_in_lightness() -> None:
    ramp = worst_examples._coloured(np.linspace(2, 5, 17, dtype=np.float32)[None], 2, 5)[0] / 255
    linear = np.where(ramp <= 0.04045, ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16
    assert np.diff(lightness) == pytest.approx(np.full(16, np.ptp(lightness) / 16), abs=1.5)
    assert np.ptp(lightness) > 80


@pytest.fixture
def run_one(data_root: Path, plugins: Path, write_suite: Callable[..., Path], tmp_path: Path) -> Callable[..., Record]:
    """Runs the plug-in method with another ending of ``predict`` on one category; its record."""

    def go(predict: str) -> Record:
        text = PLUGIN.format(name="showing", doc="Shows something.", fit="pass", predict=predict)
        (plugins / "methods" / "showing.py").write_text(text)
        registry.add_plugins(plugins)
        planned = plan(
            *load_suite(str(write_suite("showing", categories="[lid]"))), profile="paper", data_root=data_root
        )
        (result,) = run(planned, Store(tmp_path / "run"), InlineExecutor(), force=True, listener=Log())
        return result.record

    return go


def test_a_trial_keeps_its_sheet_and_the_vectors_of_all_test_images(
    run_one: Callable[..., Record], tmp_path: Path
) -> None:
    record = run_one(
        "return Prediction(scores, maps, {'half': images / 2, 'place': maps.flatten(1)[:, :3], 'top': scores[:, None]})"
    )
    assert record.status == "ok"
    assert record.examples is not None
    assert record.curves is not None
    (png,) = (tmp_path / "run").rglob(record.examples)
    (npz,) = png.parent.glob(record.curves)
    rows = tiles(np.asarray(Image.open(png)))
    assert [len(row) for row in rows] == [4] * 6, "four misses and the two normal images; image, half, map, mask"
    assert np.abs(rows[0][0] / 2.0 - rows[0][1]).mean() < 2
    with np.load(npz) as arrays:
        assert arrays["artefact_place"].shape == (6, 3)
        np.testing.assert_array_equal(arrays["artefact_top"][:, 0], arrays["scores"].astype(np.float32))
        assert "artefact_half" not in arrays


@pytest.mark.parametrize(
    ("artefact", "reason"),
    [
        ("images[:1]", "the artefact x of shape [1, 3, 40, 40]; expected [6, 3, 40, 40]"),
        ("images[:, :2]", "the artefact x of shape [6, 2, 40, 40]; expected [6, 3, 40, 40]"),
        ("maps", "the artefact x of shape [6, 32, 32]; expected [6, 3, 32]"),
        ("images * float('nan')", "NaN or infinity in 28800 of 28800 values of the artefact x"),
    ],
)
def test_an_artefact_that_cannot_be_kept_fails_the_trial(
    run_one: Callable[..., Record], artefact: str, reason: str
) -> None:
    record = run_one(f"return Prediction(scores, maps, {{'x': {artefact}}})")
    assert record.status == "failed"
    assert record.reason == f"predict returned {reason}"


def test_records_of_every_schema_version_still_load() -> None:
    frame = load_results(KEPT / "v1" / "smoke")
    assert frame["metrics.image_auroc"].notna().all()
    assert frame["latency.p50_ms"].notna().all()
    (result,) = Store(KEPT / "v1" / "smoke").results()
    assert result.record.examples is None
