"""Networks of ``defect_map`` (Fig. 2): an auto-encoder, and what predicts the defect map."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.nn.utils.fusion import fuse_conv_bn_weights

from pybench.ops import depthwise_conv2d, fold_small_kernel

LARGE_KERNELS = (31, 29, 27, 13)  # of the four stages (Sec. 3.3)
SMALL_KERNELS = (3, 3, 3, 3)
_CHANNELS = 6  # of an image and its reconstruction
PARALLEL_KERNEL = 5  # beside each large one while training (RepLKNet, Ding et al. 2022)


def convolution(inputs: int, outputs: int, size: int = 3, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the image's size stays but for the stride."""
    return nn.Sequential(*_normalised(inputs, outputs, size, stride=stride, groups=groups), nn.ReLU(inplace=True))


def _normalised(inputs: int, outputs: int, size: int = 1, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)
    )


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(convolution(inputs, outputs), convolution(outputs, outputs))


def _upsampling(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), convolution(inputs, outputs))


# --- reconstruction (Sec. 3.2) ----------------------------------------------------------------------------------------


class Encoder(nn.Sequential):
    """Images [B, 3, S, S] to deep features [B, 8 width, S/16, S/16].

    The paper gives no layers; these are of the method that it starts from, DRAEM (Zavrtanik et al. 2021): five times
    two 3x3 convolutions, with max pooling between.
    """

    def __init__(self, width: int) -> None:
        widths = (3, width, 2 * width, 4 * width, 8 * width, 8 * width)
        layers: list[nn.Module] = [_twice(widths[0], widths[1])]
        for inputs, outputs in pairwise(widths[1:]):
            layers += [nn.MaxPool2d(2), _twice(inputs, outputs)]
        super().__init__(*layers)


class AutoEncoder(nn.Module):
    """Reconstructs images [B, 3, S, S] without skip connections; S is a multiple of 16."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder = Encoder(width)
        widths = (8 * width, 8 * width, 4 * width, 2 * width, width)
        self.decoder = nn.Sequential(
            *(
                nn.Sequential(_upsampling(inputs, inputs), convolution(inputs, outputs))
                for inputs, outputs in pairwise(widths)
            ),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The reconstruction [B, 3, S, S] in [0, 1], and the deep features that it was made from."""
        features = self.encoder(images)
        return self.decoder(features).float().sigmoid(), features


class DeepFeatures(nn.Module):
    """L_deep: how far the deep features of I_r are from those of I_a, by a network of the encoder's structure.

    Args:
        width: of the encoder.
        is_copied: all its parameters are copied from the encoder before each step, and no gradient reaches them; else
            it is trained (Table 4, gradient update).
    """

    def __init__(self, width: int, *, is_copied: bool) -> None:
        super().__init__()
        self.extractor = Encoder(width).requires_grad_(not is_copied)
        self.is_copied = is_copied

    def forward(self, encoder: Encoder, features: Tensor, reconstructed: Tensor) -> Tensor:
        """The mean L1 distance of ``features``, which are the encoder's of I_a, to the extractor's of I_r."""
        if self.is_copied:
            self._copy(encoder)
        return l1_loss(self.extractor(reconstructed), features)

    @torch.no_grad()
    def _copy(self, encoder: Encoder) -> None:
        """All at once: ``load_state_dict`` copies tensor by tensor. Statistics stay, as batch norms use those of the
        batch while they train."""
        torch._foreach_copy_(list(self.extractor.parameters()), list(encoder.parameters()))


# --- defect prediction (Sec. 3.3) -------------------------------------------------------------------------------------


class FoldedKernel(nn.Module):
    """What a ``ParallelKernels`` comes to at inference: one depthwise convolution with a bias."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, backend: str) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.backend = backend

    def forward(self, x: Tensor) -> Tensor:
        return depthwise_conv2d(x.float(), self.weight, self.bias, self.backend)


class _Depthwise(nn.Module):
    """A depthwise convolution and its batch norm."""

    def __init__(self, channels: int, size: int, backend: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, 1, size, size))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)  # as nn.Conv2d does
        self.norm = nn.BatchNorm2d(channels)
        self.backend = backend

    def forward(self, x: Tensor) -> Tensor:
        # Under mixed precision images come in half precision, which the native op does not take.
        normalised: Tensor = self.norm(depthwise_conv2d(x.float(), self.weight, None, self.backend))
        return normalised

    def fused(self) -> tuple[Tensor, Tensor]:
        """The weight [C, 1, k, k] and bias [C] that equal both in eval mode."""
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        weight, bias = fuse_conv_bn_weights(
            self.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        return weight.detach(), bias.detach()


class ParallelKernels(nn.Module):
    """The sum of a large depthwise kernel and, where it is larger, a 5x5 one, each with its own batch norm."""

    def __init__(self, channels: int, size: int, backend: str) -> None:
        super().__init__()
        self.large = _Depthwise(channels, size, backend)
        self.small = _Depthwise(channels, PARALLEL_KERNEL, backend) if size > PARALLEL_KERNEL else None

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.large(x)
        return total if self.small is None else total + self.small(x)

    def folded(self) -> FoldedKernel:
        """One kernel that gives what these give in eval mode."""
        weight, bias = self.large.fused()
        if self.small is not None:
            weight, folded_bias = fold_small_kernel(weight, bias, *self.small.fused())
            assert folded_bias is not None
            bias = folded_bias
        return FoldedKernel(weight, bias, self.large.backend)


class _Residual(nn.Module):
    """x + f(x), f being the layers one after another."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.layers(x)
        return x + change


def _large_kernel_block(channels: int, size: int, backend: str) -> nn.Sequential:
    """RepLK block and ConvFFN block (Ding et al. 2022, Sec. 4.1), each with a batch norm first."""
    return nn.Sequential(
        _Residual(
            nn.BatchNorm2d(channels),
            convolution(channels, channels, 1),
            ParallelKernels(channels, size, backend),
            nn.ReLU(inplace=True),
            _normalised(channels, channels),
        ),
        _Residual(
            nn.BatchNorm2d(channels),
            _normalised(channels, 4 * channels),
            nn.GELU(),
            _normalised(4 * channels, channels),
        ),
    )


class LargeKernelEncoder(nn.Module):
    """RepLKNet's stem and stages on six channels: features [B, C, S/s, S/s] at strides s = 2, 4, 8, 16 and 32.

    C is ``width`` at strides 2 and 4, and doubles from stage to stage.
    """

    def __init__(self, width: int, depths: Sequence[int], kernels: Sequence[int], backend: str) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            convolution(_CHANNELS, width, stride=2),
            convolution(width, width, groups=width),
            convolution(width, width, 1),
        )
        self.stages = nn.ModuleList()
        before = convolution(width, width, stride=2, groups=width)  # the stem's fourth layer
        for number, (depth, size) in enumerate(zip(depths, kernels, strict=True)):
            channels = width * 2**number
            self.stages.append(
                nn.Sequential(before, *(_large_kernel_block(channels, size, backend) for _ in range(depth)))
            )
            before = nn.Sequential(
                convolution(channels, 2 * channels, 1),
                convolution(2 * channels, 2 * channels, stride=2, groups=2 * channels),
            )

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [self.stem(x)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features


class _Join(nn.Module):
    """One step of the U-Net decoder: twice the size, joined with the encoder's features there."""

    def __init__(self, inputs: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.up = _upsampling(inputs, outputs)
        self.merge = _twice(outputs + skipped, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        merged: Tensor = self.merge(torch.cat([self.up(x), skip], 1))
        return merged


class DefectPrediction(nn.Module):
    """Logits of the defect map [B, 1, S, S] from I_r and I_a, both [B, 3, S, S]; S is a multiple of 32."""

    def __init__(self, width: int, depths: Sequence[int], kernels: Sequence[int], backend: str) -> None:
        super().__init__()
        self.encoder = LargeKernelEncoder(width, depths, kernels, backend)
        widths = (8 * width, 4 * width, 2 * width, width, width, width // 2)
        skipped = (*widths[1:-1], _CHANNELS)
        self.joins = nn.ModuleList(
            _Join(inputs, skip, outputs) for (inputs, outputs), skip in zip(pairwise(widths), skipped, strict=True)
        )
        self.head = nn.Conv2d(width // 2, 1, 3, padding=1)

    def forward(self, reconstructed: Tensor, images: Tensor) -> Tensor:
        pair = torch.cat([reconstructed, images], 1)
        *features, x = self.encoder(pair)
        for join, skip in zip(self.joins, reversed([pair, *features]), strict=True):
            x = join(x, skip)
        logits: Tensor = self.head(x)
        return logits


def folded(network: DefectPrediction) -> DefectPrediction:
    """A copy for inference, in which every small kernel and batch norm is folded into its large kernel."""
    copy = deepcopy(network).eval().requires_grad_(False)
    for module in list(copy.modules()):
        for name, child in module.named_children():
            if isinstance(child, ParallelKernels):
                setattr(module, name, child.folded())
    return copy
