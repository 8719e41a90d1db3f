"""The work of `bn-train bench` in JAX: one jitted function is the whole step."""

import os

import jax
import jax.numpy as jnp
from jax import lax

import common

options = common.arguments()
pixels, classes = common.load(options.data_dir)
images = jnp.asarray(pixels)[..., None]
labels = jnp.asarray(classes)

CHANNELS = {"conv1": 6, "conv2": 16, "dense1": 120, "dense2": 84}
SHAPES = {"conv1": (5, 5, 1, 6), "conv2": (5, 5, 6, 16), "dense1": (256, 120), "dense2": (120, 84), "dense3": (84, 10)}


def initial(norm):
    keys = jax.random.split(jax.random.key(common.SEED), len(SHAPES))
    xavier = jax.nn.initializers.glorot_uniform()
    parameters = {
        name: {"weight": xavier(key, shape), "bias": jnp.zeros(shape[-1])} for key, (name, shape) in zip(keys, SHAPES.items())
    }
    if norm == "none":
        return parameters, {}
    for name, channels in CHANNELS.items():
        parameters[name] |= {"gamma": jnp.ones(channels), "beta": jnp.zeros(channels)}
    return parameters, {name: {"mean": jnp.zeros(n), "variance": jnp.ones(n)} for name, n in CHANNELS.items()}


def batch_norm(x, gamma, beta, moving):
    """Batch normalization from plain ops, its gradient left to JAX; biased variance, channels last."""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    variance = ((x - mean) ** 2).mean(axes)
    average = lambda old, batch: common.MOMENTUM * old + (1 - common.MOMENTUM) * lax.stop_gradient(batch)
    moved = {"mean": average(moving["mean"], mean), "variance": average(moving["variance"], variance)}
    return gamma * (x - mean) / jnp.sqrt(variance + common.EPSILON) + beta, moved


def lenet(parameters, moving, x):
    """Logits, and the moved statistics."""
    moved = {}

    def activate(name, x):
        layer = parameters[name]
        x = x + layer["bias"]
        if moving:
            x, moved[name] = batch_norm(x, layer["gamma"], layer["beta"], moving[name])
        return jax.nn.sigmoid(x)

    for name in ("conv1", "conv2"):
        x = lax.conv_general_dilated(
            x, parameters[name]["weight"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = lax.reduce_window(activate(name, x), 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4
    x = x.reshape(x.shape[0], -1)
    for name in ("dense1", "dense2"):
        x = activate(name, x @ parameters[name]["weight"])
    return x @ parameters["dense3"]["weight"] + parameters["dense3"]["bias"], moved


def loss_of(parameters, moving, rows):
    y = labels[rows].astype(jnp.int32)
    logits, moved = lenet(parameters, moving, images[rows].astype(jnp.float32) / 255)
    loss = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()
    return loss, (moved, (logits.argmax(1) == y).sum())


@jax.jit
def train(parameters, moving, rows):
    (loss, (moved, correct)), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters, moving, rows)
    parameters = jax.tree.map(lambda value, gradient: value - common.LEARNING_RATE * gradient, parameters, gradients)
    return parameters, moved, loss, correct


def build(norm):
    state = initial(norm)

    def step(rows):
        nonlocal state
        parameters, moving, loss, correct = train(*state, rows)
        state = parameters, moving
        return loss.item(), correct.item()

    return common.each(step)


builders = {f"{norm}/jit": lambda norm=norm: build(norm) for norm in ("scratch", "none")}
threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
common.serve("jax", {"jax": jax.__version__}, threads, builders, len(labels), options)
