"""The work of `bn-train bench` in TensorFlow: op by op, as a graph by tf.function, and compiled by XLA."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from tensorflow import keras

import common

options = common.arguments()
pixels, classes = common.load(options.data_dir)
images = tf.constant(pixels[..., None])
labels = tf.constant(classes)


class BatchNorm(keras.layers.Layer):
    """Batch normalization from plain ops, its gradient left to the tape; biased variance, channels last."""

    def build(self, shape):
        channels = (shape[-1],)
        self.gamma = self.add_weight(shape=channels, initializer="ones")
        self.beta = self.add_weight(shape=channels, initializer="zeros")
        self.moving_mean = self.add_weight(shape=channels, initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight(shape=channels, initializer="ones", trainable=False)

    def call(self, x):
        axes = list(range(len(x.shape) - 1))
        mean = tf.reduce_mean(x, axes)
        variance = tf.reduce_mean(tf.square(x - mean), axes)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(common.MOMENTUM * moving.value + (1 - common.MOMENTUM) * batch)
        return self.gamma * (x - mean) / tf.sqrt(variance + common.EPSILON) + self.beta


def lenet(norm):
    def hidden(layer):
        normalization = {
            "scratch": lambda: [BatchNorm()],
            "builtin": lambda: [keras.layers.BatchNormalization(momentum=common.MOMENTUM, epsilon=common.EPSILON)],
            "none": lambda: [],
        }[norm]()
        return [layer, *normalization, keras.layers.Activation("sigmoid")]

    # Keras starts weights Xavier-uniform.
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            *hidden(keras.layers.Conv2D(6, 5)),
            keras.layers.AveragePooling2D(2, 2),
            *hidden(keras.layers.Conv2D(16, 5)),
            keras.layers.AveragePooling2D(2, 2),
            keras.layers.Flatten(),
            *hidden(keras.layers.Dense(120)),
            *hidden(keras.layers.Dense(84)),
            keras.layers.Dense(10),
        ]
    )


def build(norm, mode):
    keras.utils.set_random_seed(common.SEED)
    model = lenet(norm)

    def train(rows):
        x = tf.cast(tf.gather(images, rows), tf.float32) / 255
        y = tf.cast(tf.gather(labels, rows), tf.int32)
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        weights = model.trainable_variables
        # Plain SGD, as the optimizer's own bookkeeping costs an op-by-op step more than the update.
        for weight, gradient in zip(weights, tape.gradient(loss, weights)):
            weight.assign_sub(common.LEARNING_RATE * gradient)
        return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == y, tf.int32))

    if mode != "eager":
        train = tf.function(train, jit_compile=mode == "xla")

    def step(rows):
        loss, correct = train(tf.constant(rows))
        return float(loss), int(correct)

    return common.each(step)


builders = {
    f"{norm}/{mode}": lambda norm=norm, mode=mode: build(norm, mode)
    for norm in ("scratch", "builtin", "none")
    for mode in ("eager", "graph", "xla")
}
threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
common.serve("tensorflow", {"tensorflow": tf.__version__, "keras": keras.__version__}, threads, builders, len(labels), options)
