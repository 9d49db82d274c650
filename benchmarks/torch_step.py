"""The same networks, losses and batch in PyTorch, to compare the training step with. Needs PyTorch.

Three variants: `eager`; `channels_last`, the same with the memory layout that its convolutions
prefer; `compiled`, the latter through torch.compile. The first two share the discriminators' pass
over translations between both sides, as this project does. A compiled function always computes the
gradients of all its inputs, so the third computes each side by itself, with the translations of the
other.
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users know it.
from torch import nn

VARIANTS = ("eager", "channels_last", "compiled")
_ENCODER, _DECODER, _DISCRIMINATOR = (32, 64, 128, 256), (128, 64, 32, 16), (32, 64, 128, 256, 512)


def _norm(features: int, flat: bool = False) -> nn.Module:
    """With the statistics of the batch alone, without moving averages, as in this project."""
    return (nn.BatchNorm1d if flat else nn.BatchNorm2d)(
        features, eps=1e-3, track_running_stats=False
    )


class _SameConv(nn.Conv2d):
    """4x4 with TensorFlow's SAME padding at stride 1: one pixel before, two after."""

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, 4, bias=bias)

    def forward(self, x):
        return super().forward(F.pad(x, (1, 2, 1, 2)))


class Generator(nn.Module):
    """Images [batch, 3, 64, 64] in [0, 1] to the same."""

    def __init__(self):
        super().__init__()
        down, features = [], 3
        for number, filters in enumerate(_ENCODER):
            down += [nn.Conv2d(features, filters, 4, 2, 1, bias=number == 0)]
            down += [_norm(filters)] * (number > 0) + [nn.LeakyReLU(0.2)]
            features = filters
        up = []
        for filters in _DECODER:
            up += [_SameConv(features, 4 * filters, bias=False), _norm(4 * filters), nn.ReLU()]
            up += [nn.PixelShuffle(2)]
            features = filters
        self.layers = nn.Sequential(*down, *up, _SameConv(features, 3, bias=True))

    def forward(self, x):
        return torch.sigmoid(self.layers(x).float())


class Discriminator(nn.Module):
    """Images [batch, 3, 64, 64] to logits [batch]."""

    def __init__(self):
        super().__init__()
        layers, features = [], 3
        for number, filters in enumerate(_DISCRIMINATOR):
            layers += [nn.Conv2d(features, filters, 4, 2, 1, bias=number == 0)]
            layers += [_norm(filters)] * (number > 0) + [nn.LeakyReLU(0.2)]
            features = filters
        head = [nn.Linear(4 * features, 512, bias=False), _norm(512, flat=True), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), *head, nn.Linear(512, 1))

    def forward(self, x):
        return self.layers(x).float().squeeze(1)


class Loss(NamedTuple):
    """An adversarial loss: of logits that shall be real, of others, and its weight for
    discriminators."""

    real: Callable
    fake: Callable
    discriminator_weight: float


CROSS_ENTROPY = Loss(lambda x: F.softplus(-x).mean(), lambda x: F.softplus(x).mean(), 1.0)
LEAST_SQUARES = Loss(lambda x: (x - 1).square().mean(), lambda x: x.square().mean(), 0.5)


class TwoSidedStep:
    """One update of a generator's and a discriminator's side.

    Subclasses say what the losses are: `_losses`, of both sides from shared passes; and, for the
    compiled variant, `_generator_loss`, which also returns the generated images, and
    `_discriminator_loss`, which takes them.

    Args:
      variant: One of VARIANTS.
      bfloat16: Whether convolutions and activations compute in it, by autocast; else float32.
      generators, discriminators: The networks that learn.
    """

    def __init__(
        self, variant: str, bfloat16: bool, generators: nn.Module, discriminators: nn.Module
    ):
        self.generators, self.discriminators = generators, discriminators
        self._compiled, self._bfloat16 = variant == "compiled", bfloat16
        self._layout = torch.contiguous_format if variant == "eager" else torch.channels_last
        self._sides = [list(side.to(memory_format=self._layout).parameters())
                       for side in (generators, discriminators)]  # fmt: skip
        self._optimizers = [
            torch.optim.Adam(side, lr=4e-4, betas=(0.5, 0.999), fused=True) for side in self._sides
        ]
        if self._compiled:
            self._generator_loss = torch.compile(self._generator_loss)
            self._discriminator_loss = torch.compile(self._discriminator_loss)

    def __call__(self, *inputs: torch.Tensor) -> float:
        """Runs on tensors, images among them [batch, 3, h, w]; returns the discriminators' loss."""
        inputs = [x.contiguous(memory_format=self._layout) if x.ndim == 4 else x for x in inputs]
        run = self._gradients_apart if self._compiled else self._gradients_shared
        loss = run(*inputs)
        for optimizer in self._optimizers:
            optimizer.step()
        return float(loss.detach())

    def _autocast(self):
        return torch.autocast("cpu", torch.bfloat16) if self._bfloat16 else contextlib.nullcontext()

    def _gradients_shared(self, *inputs):
        with self._autocast():
            of_generators, of_discriminators = self._losses(*inputs)
        for side, objective in zip(self._sides, (of_generators, of_discriminators), strict=True):
            gradients = torch.autograd.grad(
                objective, side, retain_graph=objective is of_generators
            )
            for variable, gradient in zip(side, gradients, strict=True):
                variable.grad = gradient
        return of_discriminators

    def _gradients_apart(self, *inputs):
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.discriminators.requires_grad_(False)
        with self._autocast():
            of_generators, fakes = self._generator_loss(*inputs)
        of_generators.backward()
        self.discriminators.requires_grad_(True)
        with self._autocast():
            loss = self._discriminator_loss(*inputs, [fake.detach() for fake in fakes])
        loss.backward()
        return loss


class Step(TwoSidedStep):
    """The step of two generators and two discriminators, on images of both domains.

    Args:
      variant, bfloat16: As for `TwoSidedStep`.
      generator, discriminator: Functions that make one.
      loss: The adversarial loss.
      weight: Of the reconstruction losses.
      identity_weight: Of the identity losses; 0 for none.
    """

    def __init__(
        self,
        variant: str,
        bfloat16: bool,
        generator: Callable[[], nn.Module] = Generator,
        discriminator: Callable[[], nn.Module] = Discriminator,
        loss: Loss = CROSS_ENTROPY,
        weight: float = 20.0,
        identity_weight: float = 0.0,
    ):
        self._loss, self._weight, self._identity_weight = loss, weight, identity_weight
        generators = nn.ModuleList([generator(), generator()])
        discriminators = nn.ModuleList([discriminator(), discriminator()])
        super().__init__(variant, bfloat16, generators, discriminators)

    def _translate(self, a, b):
        a_to_b, b_to_a = self.generators
        fakes = b_to_a(b), a_to_b(a)
        reconstruction = (b_to_a(fakes[1]) - a).abs().mean() + (a_to_b(fakes[0]) - b).abs().mean()
        total = self._weight * reconstruction
        if self._identity_weight:
            same = (a_to_b(b) - b).abs().mean() + (b_to_a(a) - a).abs().mean()
            total = total + self._identity_weight * same
        return fakes, total

    def _logits(self, images):
        return [
            discriminator(of_domain)
            for discriminator, of_domain in zip(self.discriminators, images, strict=True)
        ]

    def _of_discriminators(self, real, fake):
        losses = [self._loss.real(x) for x in real] + [self._loss.fake(x) for x in fake]
        return self._loss.discriminator_weight * sum(losses)

    def _losses(self, a, b):
        fakes, of_generators = self._translate(a, b)
        logits = self._logits(fakes)
        of_generators = of_generators + sum(self._loss.real(x) for x in logits)
        return of_generators, self._of_discriminators(self._logits((a, b)), logits)

    def _generator_loss(self, a, b):
        fakes, loss = self._translate(a, b)
        return loss + sum(self._loss.real(x) for x in self._logits(fakes)), fakes

    def _discriminator_loss(self, a, b, fakes):
        return self._of_discriminators(self._logits((a, b)), self._logits(fakes))
