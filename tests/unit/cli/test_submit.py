"""`pybench submit`: the maps of MVTec AD 2's private images, as the owners' server takes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pybench import registry
from pybench.images.geometry import Geometry
from tests.unit import pictures
from tests.unit.cli.invoked import METHOD, invoke
from tests.unit.images.test_float16_tiff import read

SUITE = """
name: private
title: Private images
datasets: [{name: mvtec_ad_2, categories: [can, rice]}]
methods: [{name: bright, params: {image_size: 32}}, {name: blind, params: {image_size: 32}}]
metrics: [image_auroc]
latency: null
"""
HEIGHT, WIDTH = 24, 40
BLIND = METHOD.replace("Prediction(maps.amax((1, 2)), maps)", "Prediction(maps.amax((1, 2)), None)")
IMAGES = (
    *(f"{part}/good/{number:03}_regular" for part in ("train", "validation", "test_public") for number in range(3)),
    "test_public/bad/000_regular",
    "test_private/000_regular",
    "test_private/001_regular",
    "test_private_mixed/000_mixed",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two categories of MVTec AD 2 and a run over them."""
    folder = tmp_path_factory.mktemp("finished")
    random = np.random.default_rng(0)
    for category in ("can", "rice"):
        images = folder / "data/mvtec_ad_2" / category
        for name in IMAGES:
            picture = random.integers(80, 120, (HEIGHT, WIDTH, 3))
            if "bad" in name or "private" in name:
                picture[4:10, 5:12] = 250
            pictures.save(images / f"{name}.png", picture)
        mask = np.zeros((HEIGHT, WIDTH))
        mask[4:10, 5:12] = 255
        pictures.save(images / "test_public/ground_truth/bad/000_regular_mask.png", mask)
    (folder / "mine/methods").mkdir(parents=True)
    for name, text in (("bright", METHOD), ("blind", BLIND)):
        (folder / f"mine/methods/{name}.py").write_text(text.format(cls=name.title(), name=name, body="pass"))
    (folder / "private.yaml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(registry, "_plugin_folders", [])
        given = ("--plugins", "mine", "--data-root", "data", "--executor", "inline", "--profile", "paper")
        done = invoke("run", "private.yaml", *given)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def private(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a copy of that folder."""
    folder = tmp_path / "private"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(registry, "_plugin_folders", [])
    return folder


def submit(*arguments: str, run: str = "private", to: str = "maps", method: str = "method=bright") -> tuple[int, str]:
    done = invoke("submit", run, "--to", to, "--data-root", "data", "--plugins", "mine", "--filter", method, *arguments)
    assert "Traceback" not in done.output
    return done.exit_code, done.stderr


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_maps_lie_where_the_server_looks(private: Path) -> None:
    code, told = submit("--thresholded")
    assert code == 0, told
    stems = ("test_private/000_regular", "test_private/001_regular", "test_private_mixed/000_mixed")
    assert files(private / "maps") == {
        f"{folder}/{category}/{stem}{suffix}"
        for folder, suffix in (("anomaly_images", ".tiff"), ("anomaly_images_thresholded", ".png"))
        for category in ("can", "rice")
        for stem in stems
    }
    assert "can: 3 maps" in told
    assert "not in this run: fabric, fruit_jelly, sheet_metal, vial, wallplugs, walnuts" in told


def test_maps_are_standardised_and_of_the_images_size(private: Path) -> None:
    assert submit("--thresholded")[0] == 0
    place = "can/test_private/000_regular"
    map_ = read((private / f"maps/anomaly_images/{place}.tiff").read_bytes())
    assert (map_.shape, map_.dtype) == ((HEIGHT, WIDTH), np.float16)

    def brightness(name: str) -> np.ndarray:
        """The method's map but for an offset, by other means than pybench's loader."""
        pixels = np.asarray(Image.open(private / f"data/mvtec_ad_2/can/{name}.png"), np.float32) / 255
        small = np.asarray(_resized(pixels), np.float32)
        return Geometry(32).map_to_image(small, HEIGHT, WIDTH)

    normal = np.stack([brightness(f"validation/good/{number:03}_regular") for number in range(3)])
    expected = (brightness("test_private/000_regular") - normal.mean()) / normal.std()
    np.testing.assert_allclose(map_, expected, atol=0.02)
    mask = Image.open(private / f"maps/anomaly_images_thresholded/{place}.png")
    assert mask.mode == "L"
    np.testing.assert_array_equal(np.asarray(mask), np.where(expected > 3, 255, 0))
    assert 20 < np.count_nonzero(mask) < 60


def _resized(pixels: np.ndarray) -> np.ndarray:
    """As the method ``bright`` resizes: nearest neighbour, then the mean of the channels."""
    rows, columns = np.arange(32) * HEIGHT // 32, np.arange(32) * WIDTH // 32
    return pixels[np.ix_(rows, columns)].mean(axis=2)


def test_without_thresholded_there_are_only_maps(private: Path) -> None:
    assert submit()[0] == 0
    assert {path.name for path in (private / "maps").iterdir()} == {"anomaly_images"}


def test_one_method_at_a_time(private: Path) -> None:
    code, told = submit(method="status=ok")
    assert code == 2
    assert "a submission holds the maps of one method, here are 2" in told
    assert "blind (seed 0, data seed 0, paper); bright (seed 0" in told
    assert not (private / "maps").exists()


@pytest.mark.parametrize("gone", ["test_private_mixed", "validation/good"])
def test_missing_images_are_named_before_anything_is_fitted(private: Path, gone: str) -> None:
    for file in (private / "data/mvtec_ad_2/rice" / gone).iterdir():
        file.unlink()
    code, told = submit()
    assert (code, files(private / "maps")) == (2, set())
    assert f"rice/{gone}: no images here" in told


def test_other_data_than_the_records_is_refused(private: Path) -> None:
    pictures.save(private / "data/mvtec_ad_2/can/train/good/003_regular.png", np.full((HEIGHT, WIDTH, 3), 99))
    code, told = submit()
    assert code == 2
    assert "can: the record is of other images, code or weights; run the suite again" in told


def test_a_method_without_maps_cannot_be_submitted(private: Path) -> None:
    code, told = submit(method="method=blind")
    assert code == 2
    assert "blind gives no score maps" in told


def test_what_cannot_be_used_is_a_message(private: Path) -> None:
    (private / "full").mkdir()
    (private / "full/file").touch()
    code, told = submit(to="full")
    assert code == 2
    assert "full: not empty; give a new folder" in told
    code, told = submit(run="nothing")
    assert code == 2
    assert "no records in nothing" in told
    shutil.copytree("results/private", "results/other")
    for record in (private / "results/other").rglob("*.json"):
        record.write_text(record.read_text().replace("mvtec_ad_2", "mvtec_loco"))
    code, told = submit(run="other")
    assert code == 2
    assert "other: no trial on mvtec_ad_2 ended well" in told
    code, told = submit(run="results")
    assert code == 2
    assert "holds 2 runs; name one: results/other, results/private" in told
