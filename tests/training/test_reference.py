"""The step against its equations, written plainly in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.models import create_model
from discogan_tf.networks.layers import named_layers
from discogan_tf.networks.normalization import BatchRenorm
from discogan_tf.training.schedules import step_policies
from discogan_tf.training.step import create_step

_WEIGHT, _IDENTITY_WEIGHT = 20.0, 10.0


def _convolution(x, kernel, stride):
    """Each place sees 4x4 places; for stride 1 there is more padding behind than before."""
    before, behind = (1, 2) if stride == 1 else (1, 1)
    x = tf.pad(x, [[0, 0], [before, behind], [before, behind], [0, 0]])
    places = (x.shape[1] - 4) // stride + 1
    return sum(
        tf.einsum(
            "bhwc,cf->bhwf",
            x[:, row : row + stride * places : stride, column : column + stride * places : stride],
            kernel[row, column],
        )
        for row in range(4)
        for column in range(4)
    )


def _normalized(x, variables, name, statistics=None):
    """By the batch, or by the statistics of the first pass (Ioffe 2017, algorithm 1)."""
    axes = list(range(len(x.shape) - 1))
    mean = tf.reduce_mean(x, axes)
    deviation = tf.sqrt(tf.reduce_mean((x - mean) ** 2, axes) + 1e-3)
    y = (x - mean) / deviation
    if statistics is not None:
        mean_0, deviation_0 = statistics.setdefault(name, (mean, deviation))
        r, d = deviation / deviation_0, (mean - mean_0) / deviation_0
        y = y * tf.stop_gradient(r) + tf.stop_gradient(d)
    return y * variables[f"{name}/scale"] + variables[f"{name}/offset"]


def _leaky(x):
    return tf.where(x > 0, x, 0.2 * x)


def _generator(variables, x, statistics):
    x = _leaky(_convolution(x, variables["encode_1/kernel"], 2) + variables["encode_1/bias"])
    for number in (2, 3, 4):
        x = _convolution(x, variables[f"encode_{number}/kernel"], 2)
        x = _leaky(_normalized(x, variables, f"encode_{number}_norm", statistics))
    for number in (1, 2, 3, 4):
        x = _convolution(x, variables[f"decode_{number}/kernel"], 1)
        x = tf.maximum(_normalized(x, variables, f"decode_{number}_norm", statistics), 0)
        _, height, width, features = x.shape
        x = tf.reshape(x, [-1, height, width, 2, 2, features // 4])
        x = tf.reshape(
            tf.transpose(x, [0, 1, 3, 2, 4, 5]), [-1, 2 * height, 2 * width, features // 4]
        )
    x = _convolution(x, variables["to_image/kernel"], 1) + variables["to_image/bias"]
    return 1 / (1 + tf.exp(-x))


def _unit(x):
    return x / tf.norm(x)


def _spectral(kernel, u):
    """Divided by its norm, after a power iteration from u (Miyato et al. 2018, algorithm 1)."""
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    v = _unit(tf.linalg.matvec(matrix, u))
    u = _unit(tf.linalg.matvec(matrix, v, transpose_a=True))
    v, u = tf.stop_gradient(v), tf.stop_gradient(u)
    return kernel / tf.tensordot(v, tf.linalg.matvec(matrix, u), 1)


def _discriminator(variables, x):
    """With batch norm; where there are vectors u, from [-1, 1], with spectral norm and biases."""

    def kernel(name):
        found = variables[f"{name}/kernel"]
        return _spectral(found, variables[f"{name}/u"]) if f"{name}/u" in variables else found

    def after(x, name):
        if f"{name}/u" in variables:
            return _leaky(x + variables[f"{name}/bias"])
        return _leaky(_normalized(x, variables, f"{name}_norm"))

    if "conv_1/u" in variables:
        x = 2 * x - 1
    x = _leaky(_convolution(x, kernel("conv_1"), 2) + variables["conv_1/bias"])
    for number in (2, 3, 4, 5):
        x = after(_convolution(x, kernel(f"conv_{number}"), 2), f"conv_{number}")
    x = after(tf.matmul(tf.reshape(x, [x.shape[0], -1]), kernel("features")), "features")
    return (tf.matmul(x, kernel("to_logit")) + variables["to_logit/bias"])[:, 0]


def _losses(networks, a, b, normalization):
    """Paper, equations 3 to 8, with the mean absolute error of weight 20 for a distance.

    And CycleGAN's identity loss, section 5.2.
    """
    statistics = {name: {} if normalization == "batch_renorm" else None for name in networks}

    def translate(name, x):
        return _generator(networks[name], x, statistics[name])

    fake_b, fake_a = translate("generator_a_to_b", a), translate("generator_b_to_a", b)
    back_a, back_b = translate("generator_b_to_a", fake_b), translate("generator_a_to_b", fake_a)
    same_b, same_a = translate("generator_a_to_b", b), translate("generator_b_to_a", a)
    generators = _IDENTITY_WEIGHT * sum(
        tf.reduce_mean(tf.abs(real - same)) for real, same in ((a, same_a), (b, same_b))
    )
    discriminators = 0.0
    for domain, real, fake, back in (("a", a, fake_a, back_a), ("b", b, fake_b, back_b)):
        discriminator = networks[f"discriminator_{domain}"]
        of_real, of_fake = (
            1 / (1 + tf.exp(-_discriminator(discriminator, x))) for x in (real, fake)
        )
        generators += tf.reduce_mean(-tf.math.log(of_fake)) + _WEIGHT * tf.reduce_mean(
            tf.abs(real - back)
        )
        discriminators += tf.reduce_mean(-tf.math.log(of_real)) + tf.reduce_mean(
            -tf.math.log(1 - of_fake)
        )
    return generators, discriminators


@pytest.mark.parametrize(
    ("normalization", "of_discriminators"),
    [("batch_renorm", "spectral"), pytest.param("batch", "batch", marks=pytest.mark.slow)],
)
def test_gradients_are_those_of_the_equations(
    batch, gradient_descent, normalization, of_discriminators
):
    config = Config(
        image_size=32, batch_size=4, precision="float32", reconstruction_weight=_WEIGHT,
        identity_weight=_IDENTITY_WEIGHT, normalization=normalization,
        discriminator_normalization=of_discriminators,
    )  # fmt: skip
    keras.utils.set_random_seed(1)
    model = create_model(config, tf.float32)
    networks = [*model.generators.values(), *model.discriminators.values()]
    # Running averages of this batch, which another pass over it leaves as they are.
    model.forward(batch, tf.constant(1, tf.int64))
    for layer in (inner for network in networks for inner in named_layers(network).values()):
        if isinstance(layer, BatchRenorm):
            layer.end_warm_up()
    exact = {
        network.name: {
            variable.path.removeprefix(network.name + "/"): tf.Variable(
                tf.cast(variable.value, tf.float64)
            )
            for variable in network.variables
        }
        for network in networks
    }
    before = {v.path: v.numpy() for network in networks for v in network.trainable_variables}
    policies = step_policies(config, model) | {"learning_rate": lambda step: 1.0}
    step = create_step(model, gradient_descent(model), tf.distribute.get_strategy(), **policies)
    metrics = step((batch,))

    with tf.GradientTape(persistent=True) as tape:
        generators, discriminators = _losses(
            exact, *(tf.cast(batch[key], tf.float64) for key in "ab"), normalization
        )
    assert float(metrics["generator_total"]) == pytest.approx(float(generators), rel=1e-5)
    assert float(metrics["discriminator_total"]) == pytest.approx(float(discriminators), rel=1e-5)
    for network in networks:
        total = generators if network.name.startswith("generator") else discriminators
        expected = tape.gradient(total, exact[network.name])
        for variable in network.trainable_variables:
            gradient = expected[variable.path.removeprefix(network.name + "/")].numpy()
            error = np.linalg.norm(before[variable.path] - variable.numpy() - gradient)
            # Rounding is 1e-4 of it. Where it takes an activation over the kink of a leaky ReLU,
            # which depends on how threads share the sums, up to 2e-2 were seen; a wrong term is of
            # order 1.
            assert error < 4e-2 * np.linalg.norm(gradient), (
                variable.path,
                error / np.linalg.norm(gradient),
            )
