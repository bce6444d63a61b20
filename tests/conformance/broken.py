"""A small method that keeps to the contract, and methods that break it, each in one way and as somebody might."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from pybench.images.geometry import Geometry
from pybench.images.loading import read_image
from pybench.types import Citation, Images, Method, MethodParams, Prediction, Sample


class SmallParams(MethodParams):
    image_size: int = 64


class Good(Method):
    """Deviation of the mean steepness around a pixel, down and right, from that of half of the normal images."""

    name = "small"
    Params = SmallParams
    paper = Citation("none", "the tests", 2026)

    mean: Tensor  # [2, S, S]

    def fit(self, train: Images) -> None:
        images = torch.cat(list(train.batches(4)))
        half = torch.randperm(len(images), generator=self.generator())[: len(images) // 2]
        self.mean = self.steepness(images[half]).mean(0)

    def predict(self, images: Tensor) -> Prediction:
        maps = (self.steepness(images) - self.mean).abs().sum(1)
        return Prediction(maps.amax((1, 2)), maps)

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.mean = state["mean"]

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.context.seed)

    def steepness(self, images: Tensor) -> Tensor:
        """[B, 2, S, S]."""
        grey = Geometry.of(self.params).to_input(images).mean(1, keepdim=True)
        down = pad(grey.diff(dim=2).abs(), (0, 0, 0, 1))
        right = pad(grey.diff(dim=3).abs(), (0, 1))
        return avg_pool2d(torch.cat([down, right], 1), 9, stride=1, padding=4, count_include_pad=False)


class ConstantScores(Good):
    """Forgets to reduce its maps."""

    def predict(self, images: Tensor) -> Prediction:
        return Prediction(torch.ones(len(images)), super().predict(images).maps)


class ScoresNormality(Good):
    """Larger is more normal."""

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        assert honest.maps is not None
        return Prediction(-honest.scores, -honest.maps)


class NanWithoutContrast(Good):
    """Divides by the image's own contrast."""

    def predict(self, images: Tensor) -> Prediction:
        honest, contrast = super().predict(images), images.std((1, 2, 3))
        assert honest.maps is not None
        return Prediction(honest.scores / contrast, honest.maps / contrast[:, None, None])


class NanAtTheBorder(Good):
    """Has maps that nothing fills where the filter does not reach."""

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        assert honest.maps is not None
        honest.maps[:, 0] = float("nan")
        return honest


class CoarseMaps(Good):
    """Returns maps of half the input's size."""

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        assert honest.maps is not None
        return Prediction(honest.scores, interpolate(honest.maps[:, None], scale_factor=0.5)[:, 0])


class OneSizeOnly(Good):
    """Expects images of the model's size."""

    def steepness(self, images: Tensor) -> Tensor:
        assert images.shape[-1] == self.params.input_size
        return super().steepness(images)


class NormalisesByTheBatch(Good):
    """Divides by the largest score of the batch."""

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        assert honest.maps is not None
        return Prediction(honest.scores / honest.scores.max(), honest.maps / honest.scores.max())


class PeeksAtThePlace(Good):
    """Has seen that every other image is defective."""

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        return Prediction(honest.scores + torch.arange(len(images)) % 2, honest.maps)


class PeeksAtTheOrder(Good):
    """Has seen that every other image is defective, and counts them over all calls."""

    seen = 0

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        places = self.seen + torch.arange(len(images))
        self.seen += len(images)
        return Prediction(honest.scores + places % 2, honest.maps)


class PeeksAtTheFiles(Good):
    """Finds test images and their masks beside the files it learns from, and knows them again."""

    known: ClassVar[dict[bytes, bool]] = {}

    def fit(self, train: Images) -> None:
        super().fit(train)
        samples: Sequence[Sample] = getattr(train, "samples", ())
        root = samples[0].image.parents[2] if samples else Path("nowhere")
        defective = {file.stem.removesuffix("_mask") for file in root.glob("ground_truth/*/*")}
        self.known = {
            np.ascontiguousarray(read_image(Sample(file)).transpose(2, 0, 1)).tobytes(): file.stem in defective
            for file in root.glob("test/*/*")
        }

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        labels = [float(self.known.get(image.numpy().tobytes(), False)) for image in images]
        return Prediction(honest.scores + torch.tensor(labels), honest.maps)


class LearnsWhileTesting(Good):
    """Adapts its mean to the test images."""

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        self.mean = 0.9 * self.mean + 0.1 * self.steepness(images).mean(0)
        return honest


class SharesItsState(Good):
    """Keeps what it learned in its class, where the next fit of any trial replaces it."""

    shared: ClassVar[dict[str, Tensor]] = {}

    def fit(self, train: Images) -> None:
        super().fit(train)
        self.shared["mean"] = self.mean

    def predict(self, images: Tensor) -> Prediction:
        self.mean = self.shared["mean"]
        return super().predict(images)


class LosesItsState(Good):
    """Saves one of the two things that it learned."""

    scale = 1.0

    def fit(self, train: Images) -> None:
        super().fit(train)
        self.scale = float(self.mean.mean())

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        assert honest.maps is not None
        return Prediction(honest.scores / self.scale, honest.maps / self.scale)


class SavesCode(Good):
    """Saves an object whose loading executes code."""

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "folder": Path("weights")}


class ChangesItsInput(Good):
    """Clips the images where they lie."""

    def predict(self, images: Tensor) -> Prediction:
        return super().predict(images.clamp_(0.3, 0.7))


class IgnoresTheSeed(Good):
    """Seeds its draws itself."""

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(7)


class DrawsUnseeded(Good):
    """Draws from a generator that nobody seeded."""

    def generator(self) -> torch.Generator:
        generator = torch.Generator()
        generator.seed()
        return generator


class ShowsWhatIsNoPicture(Good):
    """Gives features as an image, far outside [0, 1]."""

    def predict(self, images: Tensor) -> Prediction:
        honest = super().predict(images)
        return Prediction(honest.scores, honest.maps, {"features": 9 * images})
