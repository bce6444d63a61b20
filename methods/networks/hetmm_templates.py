"""Fewer templates at every position, chosen in the ways that HETMM compares (Sec. 3.3 and Fig. 9)."""

from __future__ import annotations

from typing import Literal

import faiss
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pybench.ops.optics_select import optics_select

Selection = Literal["optics", "kmeans_pixel", "kmeans_image", "random_pixel", "random_image"]


def select_templates(templates: Tensor, sheets: int, selection: Selection, *, seed: int, backend: str) -> Tensor:
    """Reduce templates to ``sheets`` at every position; as many templates or fewer are all kept.

    Strategies named for pixels choose at each position on its own, those named for images whole feature maps:

    - ``optics``: PTS, the paper's own: centres of dense regions, then hard examples (Alg. 1).
    - ``kmeans_pixel``, ``kmeans_image``: centroids of K-Means over unit feature vectors, or over maps of them.
    - ``random_pixel``, ``random_image``: drawn without replacement; one seed draws the same images in every layer.

    Args:
        templates: features of the normal images, float32 [N, C, H, W].
        sheets: templates to keep, K >= 1.
        selection: the strategy.
        seed: of what is drawn, K-Means' first centroids among it; ``optics`` draws nothing.
        backend: of ``optics_select``.

    Returns:
        [min(K, N), C, H, W].
    """
    count, channels, height, width = templates.shape
    if count <= sheets:
        return templates
    random = np.random.default_rng(seed)
    if selection == "random_image":
        return templates[torch.from_numpy(random.permutation(count)[:sheets])]
    if selection == "kmeans_image":
        maps = functional.normalize(templates, dim=1).flatten(1)
        return _centroids(maps, sheets, seed).view(sheets, channels, height, width)
    pixels = templates.flatten(2).transpose(1, 2)  # [N, P, C]
    if selection == "optics":
        selected = optics_select(pixels, sheets, backend=backend)
    elif selection == "kmeans_pixel":
        unit = functional.normalize(pixels, dim=2)
        selected = torch.stack([_centroids(examples, sheets, seed) for examples in unit.unbind(1)], 1)
    else:
        drawn = random.random(pixels.shape[:2]).argsort(axis=0)[:sheets]
        chosen = torch.from_numpy(drawn).to(pixels.device)
        selected = pixels.gather(0, chosen.unsqueeze(2).expand(-1, -1, channels))
    return selected.transpose(1, 2).reshape(sheets, channels, height, width)


def _centroids(points: Tensor, count: int, seed: int) -> Tensor:
    """Centroids [count, D] of K-Means over points [N, D]."""
    faiss.omp_set_num_threads(torch.get_num_threads())
    limits = {"min_points_per_centroid": 1, "max_points_per_centroid": len(points)}  # all points, and no warnings
    clustering = faiss.Kmeans(points.shape[1], count, seed=seed, **limits)
    clustering.train(points.cpu().contiguous().numpy())
    return torch.from_numpy(clustering.centroids).to(points.device)
