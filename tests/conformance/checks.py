"""What every method must keep to. Each check raises AssertionError with what is wrong; all take the same pictures."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import Tensor

from pybench.images.loading import DecodedImages
from pybench.types import Context, Images, Method, MethodParams, Prediction, Sample

SIZE = 64


class Pictures(Images):
    """Decoded images of equal shape, in memory; handed out as copies, like those that are decoded from files."""

    def __init__(self, stack: Tensor) -> None:
        self.stack = stack

    def __len__(self) -> int:
        return len(self.stack)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        return self.stack[index].clone()

    def batches(self, size: int) -> Iterator[Tensor]:
        yield from self.stack.clone().split(size)


@dataclass(frozen=True)
class Plant:
    """Normal images to fit on, and test images whose defects are known: masks bool [B, H, W].

    All pixels have 8 bits, so that an image is the same from a file.
    """

    train: Pictures
    tests: Pictures
    masks: NDArray[np.bool_]

    @property
    def test(self) -> Tensor:
        """The test images [B, 3, H, W]: a copy, since a method may spoil it."""
        return self.tests.stack.clone()


def plant(seed: int = 0) -> Plant:
    """A ribbed plate under changing light; the defect is a patch whose ribs run across, of the same mean brightness.

    Test images come in pairs under one light, normal and defective, so neither a pixel's brightness nor an image's
    tells the defect: what finds it has learned what is normal.
    """
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:SIZE, :SIZE]

    def light() -> NDArray[np.float64]:
        return generator.uniform(0.4, 0.6) + 0.1 * generator.uniform(-1, 1) * (row / SIZE - 0.5)

    def picture(light: NDArray[np.float64], defect: NDArray[np.bool_]) -> NDArray[np.float64]:
        ribs = np.where(defect, np.sin(row * 2 * np.pi / 4), np.sin(column * 2 * np.pi / 8))
        grey = light + 0.2 * ribs + generator.normal(0, 0.03, ribs.shape)
        return np.repeat(np.clip(grey, 0, 1)[None], 3, 0)

    masks = np.zeros((12, SIZE, SIZE), bool)
    train = [picture(light(), masks[0]) for _ in range(12)]
    test = []
    for number in range(1, 12, 2):
        top, left = generator.integers(4, SIZE - 24, 2)
        masks[number, top : top + 20, left : left + 20] = True
        shared = light()
        test += [picture(shared, masks[number - 1]), picture(shared, masks[number])]
    return Plant(Pictures(_tensor(np.stack(train))), Pictures(_tensor(np.stack(test))), masks)


def as_files(pictures: Plant, folder: Path) -> DecodedImages:
    """The plant in MVTec's layout, labels and masks beside the images; returns those to fit on."""
    for number, image in enumerate(pictures.train.stack):
        _save(folder / "train" / "good" / f"{number:03}.png", image.permute(1, 2, 0).numpy())
    for number, (image, mask) in enumerate(zip(pictures.test, pictures.masks, strict=True)):
        kind = "dent" if mask.any() else "good"
        _save(folder / "test" / kind / f"{number:03}.png", image.permute(1, 2, 0).numpy())
        if mask.any():
            _save(folder / "ground_truth" / kind / f"{number:03}_mask.png", mask)
    return DecodedImages([Sample(file) for file in sorted((folder / "train" / "good").iterdir())])


@dataclass(frozen=True)
class Subject:
    """A method with the parameters and the seed to check it with."""

    cls: type[Method]
    params: MethodParams
    seed: int = 0

    def fresh(self) -> Method:
        """A new method, not fitted."""
        return self.cls(self.params, Context(seed=self.seed))

    def newly_fitted(self, images: Images) -> Method:
        """A new method, fitted after the seeding that a trial does."""
        torch.manual_seed(self.seed)
        method = self.fresh()
        method.fit(images)
        return method

    def fitted(self, pictures: Plant) -> Method:
        """A fitted method that checks share, since fitting is what takes time."""
        return _fitted(self, pictures.train, pictures.tests)[0]

    def prediction(self, pictures: Plant) -> Prediction:
        """What that method said of the test images right after it was fitted."""
        return _fitted(self, pictures.train, pictures.tests)[1]


@cache
def _fitted(subject: Subject, train: Pictures, tests: Pictures) -> tuple[Method, Prediction]:
    method = subject.newly_fitted(train)
    return method, method.predict(tests.stack.clone())


def gives_finite_scores_and_maps_of_its_input_size(subject: Subject, pictures: Plant) -> None:
    prediction = subject.prediction(pictures)
    batch, size = len(pictures.test), subject.params.input_size
    assert prediction.scores.shape == (batch,), f"scores have shape {tuple(prediction.scores.shape)}, not ({batch},)"
    assert torch.isfinite(prediction.scores).all(), "scores are not finite"
    if prediction.maps is not None:
        shape = tuple(prediction.maps.shape)
        assert shape == (batch, size, size), f"maps have shape {shape}, not ({batch}, {size}, {size})"
        assert torch.isfinite(prediction.maps).all(), "maps are not finite"


def tells_images_apart(subject: Subject, pictures: Plant) -> None:
    scores = subject.prediction(pictures).scores
    assert len(scores.unique()) > len(scores) // 2, "scores are constant"


def finds_the_planted_defect(subject: Subject, pictures: Plant) -> None:
    prediction = subject.prediction(pictures)
    labels = pictures.masks.any((1, 2))
    image = roc_auc_score(labels, prediction.scores.numpy())
    assert image >= 0.9, f"image AUROC on the plant is {image:.3f}, below 0.9"
    if prediction.maps is not None:
        pixel = pixel_auroc(pictures.masks, prediction.maps)
        assert pixel >= 0.9, f"pixel AUROC on the plant is {pixel:.3f}, below 0.9"


def depends_on_the_images_and_the_seed_alone(subject: Subject, pictures: Plant) -> None:
    """Fitted again with the same seed it says the same, also where labels and masks lie beside the images' files."""
    with tempfile.TemporaryDirectory() as folder:
        again = subject.newly_fitted(as_files(pictures, Path(folder)))
        _same(subject.prediction(pictures), again.predict(pictures.test), 0)


def differs_between_seeds_where_it_says_so(subject: Subject, pictures: Plant) -> None:
    """The spread over seeds is that of the method: seeds count if, and only if, it is stochastic."""
    one, other = subject.prediction(pictures), replace(subject, seed=1).prediction(pictures)
    maps_agree = one.maps is None or other.maps is None or torch.equal(one.maps, other.maps)
    differ = not (torch.equal(one.scores, other.scores) and maps_agree)
    expected = subject.cls.is_stochastic(subject.params)
    assert differ == expected, f"is_stochastic is {expected}, but whether two seeds differ in anything is {differ}"


def does_not_depend_on_the_batch(subject: Subject, pictures: Plant) -> None:
    """Nor on the order, which may give labels away; within rounding, since libraries choose kernels by batch size."""
    method = subject.fitted(pictures)
    whole = method.predict(pictures.test)
    order = torch.randperm(len(pictures.test), generator=torch.Generator().manual_seed(0))
    one_by_one = [method.predict(image[None]) for image in pictures.test[order]]
    back = order.argsort()
    maps = [part.maps for part in one_by_one if part.maps is not None]
    scores = torch.cat([part.scores for part in one_by_one])[back]
    _same(whole, Prediction(scores, torch.cat(maps)[back] if maps else None), 1e-3)


def says_the_same_later(subject: Subject, pictures: Plant) -> None:
    """Test images teach it nothing, and what it learned is its own: another fit of its class changes nothing."""
    first = subject.prediction(pictures)
    replace(subject, seed=1).fitted(pictures)
    method = subject.fitted(pictures)
    method.predict(pictures.test[:5].flip(0))
    _same(first, method.predict(pictures.test), 0)


def keeps_its_state(subject: Subject, pictures: Plant) -> None:
    """A saved state loads without executing code, into a new method, which predicts the same."""
    method = subject.fitted(pictures)
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    restored = subject.fresh()
    restored.load_state_dict(torch.load(file, weights_only=True))
    _same(method.predict(pictures.test), restored.predict(pictures.test), 1e-6)


def leaves_its_input_alone(subject: Subject, pictures: Plant) -> None:
    images = pictures.test
    subject.fitted(pictures).predict(images)
    assert torch.equal(images, pictures.test), "predict changed its input"


def takes_images_of_any_size(subject: Subject, pictures: Plant) -> None:
    prediction = subject.fitted(pictures).predict(torch.rand(2, 3, 50, 90, generator=torch.Generator().manual_seed(0)))
    assert prediction.scores.shape == (2,)


def takes_images_without_contrast(subject: Subject, pictures: Plant) -> None:
    """A lens cap, a lamp that is too bright: the scores are numbers all the same."""
    flat = torch.stack([torch.full((3, SIZE, SIZE), grey) for grey in (0.0, 0.5, 1.0)])
    prediction = subject.fitted(pictures).predict(flat)
    assert torch.isfinite(prediction.scores).all(), "scores of black, grey and white images are not finite"
    assert prediction.maps is None or torch.isfinite(prediction.maps).all(), "maps of flat images are not finite"


def gives_artefacts_that_can_be_kept(subject: Subject, pictures: Plant) -> None:
    for name, values in subject.prediction(pictures).artefacts.items():
        shape = tuple(values.shape)
        assert shape[0] == len(pictures.tests), f"{name} has shape {shape}, not one entry for each image"
        assert len(shape) == 2 or (len(shape) == 4 and shape[1] == 3), f"{name} is neither [B, K] nor [B, 3, H, W]"
        assert torch.isfinite(values).all(), f"{name} is not finite"
        assert len(shape) == 2 or 0 <= values.min() <= values.max() <= 1, f"{name} leaves [0, 1]"


Check = Callable[[Subject, Plant], None]
CHECKS: tuple[Check, ...] = (
    gives_finite_scores_and_maps_of_its_input_size,
    tells_images_apart,
    finds_the_planted_defect,
    depends_on_the_images_and_the_seed_alone,
    differs_between_seeds_where_it_says_so,
    does_not_depend_on_the_batch,
    says_the_same_later,
    keeps_its_state,
    leaves_its_input_alone,
    takes_images_of_any_size,
    takes_images_without_contrast,
    gives_artefacts_that_can_be_kept,
)


def pixel_auroc(masks: NDArray[np.bool_], maps: Tensor) -> float:
    """Over all pixels of all images, by scikit-learn; masks are taken at the maps' size (nearest neighbour)."""
    positions = ((np.arange(maps.shape[-1]) + 0.5) * masks.shape[-1] / maps.shape[-1]).astype(int)
    return float(roc_auc_score(masks[:, positions][:, :, positions].ravel(), maps.numpy().ravel()))


def _same(one: Prediction, other: Prediction, tolerance: float) -> None:
    for name, left, right in (("scores", one.scores, other.scores), ("maps", one.maps, other.maps)):
        assert (left is None) == (right is None), f"{name} are given once and not the other time"
        if left is not None and right is not None:
            scale = float(left.abs().max()) or 1.0
            difference = float((left - right).abs().max()) / scale
            assert difference <= tolerance, f"{name} differ by {difference:.2g} of their largest value"


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy((values * 255).round().astype(np.float32) / np.float32(255))


def _save(file: Path, values: NDArray[np.float32] | NDArray[np.bool_]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((values * 255.0).round().astype(np.uint8)).save(file)
