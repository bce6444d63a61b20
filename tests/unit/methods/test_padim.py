"""PaDiM against an independent computation."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.distance import mahalanobis
from torch import Tensor

from tests.unit.methods.backbone_parts import PLANT, fitted


def test_padim_is_the_mahalanobis_distance_at_every_position() -> None:
    made = fitted("padim", crop_size=None, dimensions=5, sigma=0, layers=(2,))

    def embed(images: Tensor) -> np.ndarray:
        (layer,) = made.features(images)
        return layer[:, made.channels].flatten(2).permute(2, 0, 1).double().numpy()  # [P, B, 5]

    train, test = embed(PLANT.train.stack), embed(PLANT.test)
    expected = np.empty(test.shape[:2])
    for position, (normal, images) in enumerate(zip(train, test, strict=True)):
        inverse = np.linalg.inv(np.cov(normal, rowvar=False) + 0.01 * np.eye(5))
        expected[position] = [mahalanobis(image, normal.mean(0), inverse) for image in images]
    deviation = torch.from_numpy(embed(PLANT.test)).float() - made.mean[:, None]
    found = torch.linalg.vector_norm(deviation @ made.whitening.transpose(1, 2), dim=2).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-3)
