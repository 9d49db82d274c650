"""StackGAN in PyTorch, as `networks/stackgan.py` has it with batch norm, for `step_comparison`."""

import itertools

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users know it.
from torch import nn

from benchmarks.torch_cyclegan import Block, Enlarged, conv
from benchmarks.torch_step import TwoSidedStep
from discogan_tf.config import Config
from discogan_tf.text import NUM_CHARACTERS

_KL_WEIGHT, _TEXT_CHANNELS, _REFINED = 0.002, 128, 16


def _norm(features: int) -> nn.Module:
    return nn.BatchNorm2d(features, eps=1e-3, track_running_stats=False)


def _of_log2(large: int, small: int) -> int:
    return (large // small).bit_length() - 1


class TextEncoder(nn.Module):
    """Characters, int64 [batch, 99], to embeddings [batch, features]; it does not learn."""

    def __init__(self, features: int):
        super().__init__()
        sizes = (NUM_CHARACTERS - 2, features, features, features)
        self.convs = nn.ModuleList(
            nn.Conv1d(inputs, outputs, 4, padding="same")
            for inputs, outputs in itertools.pairwise(sizes)
        )
        self.gru = nn.GRU(features, features, batch_first=True)
        self.to_embedding = nn.Linear(features, features)

    @torch.no_grad()
    def forward(self, characters):
        x = F.one_hot(characters, NUM_CHARACTERS)[:, :, 2:].float().transpose(1, 2)
        for index, layer in enumerate(self.convs):
            x = F.relu(layer(x))
            x = F.max_pool1d(x, 3) if index < 2 else x
        states, _ = self.gru(x.transpose(1, 2))
        steps = ((characters != 0).sum(1) + 8).div(9, rounding_mode="floor").clamp(min=1)
        mask = (torch.arange(states.shape[1]) < steps[:, None]).float()[:, :, None]
        return self.to_embedding((states * mask).sum(1) / mask.sum(1))


class _Augmentation(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.to_moments = nn.Linear(config.text_features, 2 * config.condition_size)

    def forward(self, embedding, noise):
        mean, log_deviation = self.to_moments(embedding).float().chunk(2, 1)
        return mean + log_deviation.exp() * noise, mean, log_deviation


class StageI(nn.Module):
    """Embeddings and noise to small images, and the moments of c."""

    def __init__(self, config: Config, size: int):
        super().__init__()
        first, count = 8 * config.base_filters, _of_log2(size, 4)
        self.augmentation, self._condition = _Augmentation(config), config.condition_size
        self.start = nn.Linear(config.condition_size + config.noise_size, 16 * first, bias=False)
        self.start_norm = nn.BatchNorm1d(16 * first, eps=1e-3, track_running_stats=False)
        layers, features = [], first
        for index in range(count):
            if index < 2:
                layers += [Block(features, _norm), nn.ReLU()]
            layers += [Enlarged()]
            if index < count - 1:
                filters = max(4, first >> (index + 1))
                layers += [*conv(features, filters, 3), _norm(filters), nn.ReLU()]
                features = filters
        self.layers = nn.Sequential(*layers, *conv(features, 3, 3, bias=True))

    def forward(self, embedding, noise):
        c, mean, log_deviation = self.augmentation(embedding, noise[:, : self._condition])
        x = self.start(torch.cat([c, noise[:, self._condition :]], 1))
        x = F.relu(self.start_norm(x)).reshape(len(x), -1, 4, 4)
        return torch.sigmoid(self.layers(x).float()), mean, log_deviation


class StageII(nn.Module):
    """Embeddings and noise to images that refine those of Stage I, which does not learn."""

    def __init__(self, config: Config):
        super().__init__()
        base, size = config.base_filters, config.stage_1_size
        self.augmentation, self._condition = _Augmentation(config), config.condition_size
        strides, widest = _of_log2(size, _REFINED), 4 * base
        features = base if strides else widest
        down = [*conv(3, features, 3), _norm(features), nn.ReLU()]
        for index in range(strides):
            filters = widest >> (strides - 1 - index)
            down += [*conv(features, filters, 4, 2), _norm(filters), nn.ReLU()]
            features = filters
        self.down = nn.Sequential(*down)
        joined = features + config.condition_size
        layers = [*conv(joined, widest, 3), _norm(widest), nn.ReLU()]
        for _ in range(config.residual_blocks):
            layers += [Block(widest, _norm), nn.ReLU()]
        features = widest
        for index in range(_of_log2(config.image_size, _REFINED)):
            filters = max(16, widest >> (index + 1))
            layers += [Enlarged(), *conv(features, filters, 3), _norm(filters), nn.ReLU()]
            features = filters
        self.layers = nn.Sequential(*layers, *conv(features, 3, 3, bias=True))
        # Not a submodule, so that no optimizer sees its weights.
        self.sketch = [StageI(config, size)]

    def forward(self, embedding, noise):
        c, mean, log_deviation = self.augmentation(embedding, noise[:, : self._condition])
        with torch.no_grad():
            sketch, _, _ = self.sketch[0](embedding, noise[:, self._condition :])
        x = self.down(sketch)
        tiled = c[:, :, None, None].expand(-1, -1, _REFINED, _REFINED).to(x.dtype)
        x = self.layers(torch.cat([x, tiled], 1))
        return torch.sigmoid(x.float()), mean, log_deviation


class Discriminator(nn.Module):
    """Images and embeddings to logits."""

    def __init__(self, config: Config):
        super().__init__()
        base, count, layers, features = config.base_filters // 2, 0, [], 3
        for count in range(_of_log2(config.image_size, 4)):
            filters = base << min(count, 3)
            layers += conv(features, filters, 4, 2, bias=count == 0)
            layers += [_norm(filters)] * (count > 0) + [nn.LeakyReLU(0.2)]
            features = filters
        self.convs = nn.Sequential(*layers)
        self.to_text = nn.Linear(config.text_features, _TEXT_CHANNELS)
        self.join = nn.Sequential(
            *conv(features + _TEXT_CHANNELS, features, 1), _norm(features), nn.LeakyReLU(0.2),
            nn.Conv2d(features, 1, 4),
        )  # fmt: skip

    def classify(self, features, embedding):
        """Logits of features of images, as `convs` computes them, with texts."""
        text = F.leaky_relu(self.to_text(embedding), 0.2)[:, :, None, None]
        text = text.expand(-1, -1, *features.shape[2:]).to(features.dtype)
        return self.join(torch.cat([features, text], 1)).float()


class Step(TwoSidedStep):
    """The step of a stage, on images, their texts, wrong texts and noise.

    Args:
      variant, bfloat16: As for `TwoSidedStep`.
      config: Sizes.
    """

    def __init__(self, variant: str, bfloat16: bool, config: Config):
        self._encoder = TextEncoder(config.text_features)
        generator = StageII(config) if config.stage_1_size else StageI(config, config.image_size)
        super().__init__(variant, bfloat16, generator, Discriminator(config))

    def _generate(self, text, noise):
        images, mean, log_deviation = self.generators(text, noise)
        variance = (2 * log_deviation).exp()
        kl = (mean.square() + variance - 1 - 2 * log_deviation).sum(1).mean() / 2
        return images, _KL_WEIGHT * kl

    def _of_discriminator(self, real, wrong, fake):
        return F.softplus(-real).mean() + (F.softplus(wrong).mean() + F.softplus(fake).mean()) / 2

    def _losses(self, images, characters, wrong_characters, noise):
        d = self.discriminators
        text, wrong = self._encoder(torch.cat([characters, wrong_characters])).chunk(2)
        fake, kl = self._generate(text, noise)
        features = d.convs(images)
        logits = d.classify(d.convs(fake), text)
        loss = self._of_discriminator(
            d.classify(features, text), d.classify(features, wrong), logits
        )
        return F.softplus(-logits).mean() + kl, loss

    def _generator_loss(self, images, characters, wrong_characters, noise):
        text, d = self._encoder(characters), self.discriminators
        fake, kl = self._generate(text, noise)
        return F.softplus(-d.classify(d.convs(fake), text)).mean() + kl, [fake]

    def _discriminator_loss(self, images, characters, wrong_characters, noise, fakes):
        d, (fake,) = self.discriminators, fakes
        text, wrong = self._encoder(torch.cat([characters, wrong_characters])).chunk(2)
        features = d.convs(images)
        return self._of_discriminator(
            d.classify(features, text), d.classify(features, wrong),
            d.classify(d.convs(fake), text),
        )  # fmt: skip
