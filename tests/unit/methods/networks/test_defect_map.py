"""The networks of ``defect_map`` by independent computations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pybench.methods.networks.defect_map import (
    LARGE_KERNELS,
    DefectPrediction,
    FoldedKernel,
    ParallelKernels,
    folded,
)
from tests.unit.methods.defect_map_parts import PLANT, method


def settled(network: nn.Module) -> nn.Module:
    """In evaluation mode, with batch norms that have seen something and do something."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 2.0),
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.5, 0.5),
            ):
                assert tensor is not None
                tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))
    return network.eval()


def test_the_large_kernel_encoder_has_the_papers_shapes() -> None:
    with torch.device("meta"):
        network = DefectPrediction(128, (2, 2, 18, 2), LARGE_KERNELS, "auto")
        features = network.encoder(torch.empty(1, 6, 256, 256))
        logits = network(torch.empty(1, 3, 256, 256), torch.empty(1, 3, 256, 256))
    shapes = [tuple(feature.shape[1:]) for feature in features]
    assert shapes == [(128, 128, 128), (128, 64, 64), (256, 32, 32), (512, 16, 16), (1024, 8, 8)]
    assert logits.shape == (1, 1, 256, 256)
    blocks = [module for module in network.modules() if isinstance(module, ParallelKernels)]
    sizes = [block.large.weight.shape[-1] for block in blocks]
    assert sizes == [31] * 2 + [29] * 2 + [27] * 18 + [13] * 2
    assert all(block.small is not None and block.small.weight.shape[-2:] == (5, 5) for block in blocks)


def test_a_folded_kernel_is_both_kernels_and_their_batch_norms() -> None:
    torch.manual_seed(0)
    block = settled(ParallelKernels(3, 9, "auto"))
    assert isinstance(block, ParallelKernels)
    images = torch.randn(2, 3, 12, 10)
    expected = torch.zeros_like(images)
    for part in (block.large, block.small):
        assert part is not None
        pad = part.weight.shape[-1] // 2
        convolved = nn.functional.conv2d(images, part.weight, padding=pad, groups=3)
        mean, variance = (stat.view(1, 3, 1, 1) for stat in (part.norm.running_mean, part.norm.running_var))
        scale, shift = (value.view(1, 3, 1, 1) for value in (part.norm.weight, part.norm.bias))
        expected = expected + (convolved - mean) / (variance + part.norm.eps).sqrt() * scale + shift
    kernel = block.folded()
    assert kernel.weight.shape == (3, 1, 9, 9)
    torch.testing.assert_close(kernel(images), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(block(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernels", [LARGE_KERNELS, (3, 3, 3, 3)])
def test_the_folded_network_gives_what_the_trained_one_gives(kernels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = settled(DefectPrediction(4, (1, 1, 2, 1), kernels, "auto"))
    assert isinstance(network, DefectPrediction)
    inference = folded(network)
    assert not any(isinstance(module, ParallelKernels) for module in inference.modules())
    assert sum(isinstance(module, FoldedKernel) for module in inference.modules()) == 5
    assert sum(isinstance(module, ParallelKernels) for module in network.modules()) == 5
    images, reconstructed = torch.rand(2, 2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(
            inference(reconstructed, images), network(reconstructed, images), rtol=1e-4, atol=1e-4
        )


def _copy(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def _equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


def test_the_extractor_is_copied_before_the_step_and_not_trained() -> None:
    made = method(deep_features="copied")
    assert made.deep_features is not None
    before = _copy(made.reconstruction.encoder)
    assert not _equal(before, _copy(made.deep_features.extractor))
    made.fit(PLANT.train)
    assert _equal(before, _copy(made.deep_features.extractor))
    assert not _equal(before, _copy(made.reconstruction.encoder))
    assert all(parameter.grad is None for parameter in made.deep_features.extractor.parameters())


def test_the_extractor_that_is_trained_keeps_its_own_parameters() -> None:
    made = method(deep_features="trained")
    assert made.deep_features is not None
    own, encoder = _copy(made.deep_features.extractor), _copy(made.reconstruction.encoder)
    made.fit(PLANT.train)
    after = _copy(made.deep_features.extractor)
    assert not _equal(own, after)
    assert not _equal(encoder, after)
    # One step of Adam moves no weight by more than the learning rate.
    assert all(float((left - right).abs().max()) <= 1.001e-4 for left, right in zip(own, after, strict=True)), (
        "it did not start from its own parameters"
    )
