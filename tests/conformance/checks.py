"""What every method must keep to. Each check raises AssertionError with what is wrong; all take the same pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from pybench.types import Context, Images, Method, MethodParams, Prediction

SIZE = 64


class Pictures(Images):
    """Decoded images of equal shape, in memory."""

    def __init__(self, stack: Tensor) -> None:
        self.stack = stack

    def __len__(self) -> int:
        return len(self.stack)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        return self.stack[index]

    def batches(self, size: int) -> Iterator[Tensor]:
        yield from self.stack.split(size)


@dataclass(frozen=True)
class Plant:
    """Normal images to fit on, and test images whose defects are known: masks bool [B, H, W]."""

    train: Pictures
    test: Tensor
    masks: NDArray[np.bool_]


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
    return Plant(Pictures(_tensor(np.stack(train))), _tensor(np.stack(test)), masks)


@dataclass(frozen=True)
class Subject:
    """A method with the parameters to check it with."""

    cls: type[Method]
    params: MethodParams

    def fresh(self) -> Method:
        """A new method, not fitted."""
        return self.cls(self.params, Context(seed=0))

    def newly_fitted(self, images: Images) -> Method:
        """A new method, fitted."""
        torch.manual_seed(0)
        method = self.fresh()
        method.fit(images)
        return method

    def fitted(self, images: Images) -> Method:
        """A fitted method that checks share, since fitting is what takes time."""
        return _fitted(self, images)


@cache
def _fitted(subject: Subject, images: Images) -> Method:
    return subject.newly_fitted(images)


def gives_finite_scores_and_maps_of_its_input_size(subject: Subject, pictures: Plant) -> None:
    prediction = subject.fitted(pictures.train).predict(pictures.test)
    batch, size = len(pictures.test), subject.params.input_size
    assert prediction.scores.shape == (batch,), f"scores have shape {tuple(prediction.scores.shape)}, not ({batch},)"
    assert torch.isfinite(prediction.scores).all(), "scores are not finite"
    if prediction.maps is not None:
        shape = tuple(prediction.maps.shape)
        assert shape == (batch, size, size), f"maps have shape {shape}, not ({batch}, {size}, {size})"
        assert torch.isfinite(prediction.maps).all(), "maps are not finite"


def tells_images_apart(subject: Subject, pictures: Plant) -> None:
    scores = subject.fitted(pictures.train).predict(pictures.test).scores
    assert len(scores.unique()) > len(scores) // 2, "scores are constant"


def finds_the_planted_defect(subject: Subject, pictures: Plant) -> None:
    prediction = subject.fitted(pictures.train).predict(pictures.test)
    labels = pictures.masks.any((1, 2))
    image = roc_auc_score(labels, prediction.scores.numpy())
    assert image >= 0.9, f"image AUROC on the plant is {image:.3f}, below 0.9"
    if prediction.maps is not None:
        pixel = pixel_auroc(pictures.masks, prediction.maps)
        assert pixel >= 0.9, f"pixel AUROC on the plant is {pixel:.3f}, below 0.9"


def same_seed_gives_the_same_prediction(subject: Subject, pictures: Plant) -> None:
    one, other = subject.fitted(pictures.train), subject.newly_fitted(pictures.train)
    _same(one.predict(pictures.test), other.predict(pictures.test), 0)


def does_not_depend_on_the_batch(subject: Subject, pictures: Plant) -> None:
    """Within rounding: libraries choose other kernels for other batch sizes."""
    method = subject.fitted(pictures.train)
    whole = method.predict(pictures.test)
    one_by_one = [method.predict(image[None]) for image in pictures.test]
    maps = None if whole.maps is None else torch.cat([part.maps for part in one_by_one if part.maps is not None])
    _same(whole, Prediction(torch.cat([part.scores for part in one_by_one]), maps), 1e-3)


def does_not_depend_on_what_it_saw_while_testing(subject: Subject, pictures: Plant) -> None:
    """Test images must teach it nothing: the first prediction and a later one of the same image agree."""
    method = subject.fitted(pictures.train)
    first = method.predict(pictures.test[:2])
    method.predict(pictures.test)
    _same(first, method.predict(pictures.test[:2]), 0)


def keeps_its_state(subject: Subject, pictures: Plant) -> None:
    """A saved state loads without executing code, into a new method, which predicts the same."""
    method = subject.fitted(pictures.train)
    file = io.BytesIO()
    torch.save(method.state_dict(), file)
    file.seek(0)
    restored = subject.fresh()
    restored.load_state_dict(torch.load(file, weights_only=True))
    _same(method.predict(pictures.test), restored.predict(pictures.test), 1e-6)


def leaves_its_input_alone(subject: Subject, pictures: Plant) -> None:
    before = pictures.test.clone()
    subject.fitted(pictures.train).predict(pictures.test)
    assert torch.equal(before, pictures.test), "predict changed its input"


def takes_images_of_any_size(subject: Subject, pictures: Plant) -> None:
    prediction = subject.fitted(pictures.train).predict(
        torch.rand(2, 3, 50, 90, generator=torch.Generator().manual_seed(0))
    )
    assert prediction.scores.shape == (2,)


CHECKS: tuple[Callable[[Subject, Plant], None], ...] = (
    gives_finite_scores_and_maps_of_its_input_size,
    tells_images_apart,
    finds_the_planted_defect,
    same_seed_gives_the_same_prediction,
    does_not_depend_on_the_batch,
    does_not_depend_on_what_it_saw_while_testing,
    keeps_its_state,
    leaves_its_input_alone,
    takes_images_of_any_size,
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
    return torch.from_numpy(values.astype(np.float32))
