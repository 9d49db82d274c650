"""The networks of CycleGAN in PyTorch, as `networks/resnet.py` has them, for `step_comparison`."""

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users know it.
from torch import nn


def _norm(features: int) -> nn.Module:
    return nn.InstanceNorm2d(features, eps=1e-5)


class Enlarged(nn.Module):
    """Every pixel becomes four."""

    def forward(self, x):
        return F.interpolate(x, scale_factor=2, mode="nearest")


class Block(nn.Module):
    """A residual block; `norm` makes a normalization of so many features."""

    def __init__(self, filters: int, norm):
        super().__init__()
        self.layers = nn.Sequential(
            *conv(filters, filters, 3, reflect=True), norm(filters), nn.ReLU(),
            *conv(filters, filters, 3, reflect=True), norm(filters),
        )  # fmt: skip

    def forward(self, x):
        return x + self.layers(x)


def conv(inputs, outputs, kernel_size, stride=1, reflect=False, bias=False) -> list[nn.Module]:
    """A convolution padded by half of its kernel."""
    padding = (kernel_size - 1) // 2
    mode = "reflect" if reflect else "zeros"
    return [nn.Conv2d(inputs, outputs, kernel_size, stride, padding, bias=bias, padding_mode=mode)]


class Generator(nn.Module):
    """Images [batch, 3, h, w] in [0, 1] to the same."""

    def __init__(self, base: int, blocks: int):
        super().__init__()
        layers = [*conv(3, base, 7, reflect=True), _norm(base), nn.ReLU()]
        for filters in (base, 2 * base):
            layers += [*conv(filters, 2 * filters, 3, 2), _norm(2 * filters), nn.ReLU()]
        layers += [Block(4 * base, _norm) for _ in range(blocks)]
        for filters in (4 * base, 2 * base):
            layers += [
                Enlarged(), *conv(filters, filters // 2, 3), _norm(filters // 2), nn.ReLU(),
            ]  # fmt: skip
        self.layers = nn.Sequential(*layers, *conv(base, 3, 7, reflect=True, bias=True))

    def forward(self, x):
        return torch.sigmoid(self.layers(x).float())


class Discriminator(nn.Module):
    """Images [batch, 3, h, w] to logits of overlapping patches."""

    def __init__(self, base: int, patch_layers: int):
        super().__init__()
        layers, features = [], 3
        for number in range(patch_layers + 1):
            filters, stride = base * min(2**number, 8), 2 if number < patch_layers else 1
            layers += conv(features, filters, 4, stride, bias=number == 0)
            layers += [_norm(filters)] * (number > 0) + [nn.LeakyReLU(0.2)]
            features = filters
        self.layers = nn.Sequential(*layers, *conv(features, 1, 4, bias=True))

    def forward(self, x):
        return self.layers(x).float()
