"""The models of bench/models/table.ts in Keras 3 on TensorFlow, which answers as `bn-train bench --peer` asks."""

import json
import os
import resource
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy
import tensorflow as tf
from keras import layers, ops

generator = numpy.random.default_rng(1)


def uniform(*shape):
    return generator.uniform(-1, 1, shape).astype("float32")


def whole(end, *shape):
    return generator.integers(0, end, shape).astype("float32")


def one_hot(classes, *shape):
    return numpy.eye(classes, dtype="float32")[generator.integers(0, classes, shape)]


def compiled(model, optimizer, loss, metrics=None):
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=False)
    return model


def convolutional(shape, padding, rates, optimizer):
    conv = lambda filters, padding="valid": layers.Conv2D(filters, 3, activation="relu", padding=padding)
    body = [conv(32, padding), conv(32), layers.MaxPooling2D(2), layers.Dropout(rates[0])]
    body += [conv(64, padding), conv(64), layers.MaxPooling2D(2), layers.Dropout(rates[1]), layers.Flatten()]
    body += [layers.Dense(512, activation="relu"), layers.Dropout(rates[2]), layers.Dense(10, activation="softmax")]
    model = keras.Sequential([layers.Input(shape), *body])
    return compiled(model, optimizer, "categorical_crossentropy", ["accuracy"])


def dense(shape, hidden, head, optimizer, loss, metrics=None):
    body = [layers.Dense(units, activation="sigmoid") for units in hidden]
    return compiled(keras.Sequential([layers.Input(shape), *body, head]), optimizer, loss, metrics)


def sentiment(*body):
    head = layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([layers.Input((100,)), layers.Embedding(10000, 128), *body, head])
    return compiled(model, "adam", "binary_crossentropy", ["accuracy"])


def sentiment_cnn():
    conv = layers.Conv1D(250, 5, activation="relu")
    return sentiment(layers.Dropout(0.5), conv, layers.GlobalMaxPooling1D(), layers.Dense(250, activation="relu"))


def addition(recurrent):
    body = [recurrent(128), layers.RepeatVector(3), recurrent(128, return_sequences=True)]
    body += [layers.TimeDistributed(layers.Dense(12)), layers.Activation("softmax")]
    return compiled(keras.Sequential([layers.Input((5, 12)), *body]), "adam", "categorical_crossentropy", ["accuracy"])


def date_conversion():
    given = [layers.Input((12,)), layers.Input((10,))]
    read = layers.LSTM(64, return_sequences=True)(layers.Embedding(35, 64, mask_zero=True)(given[0]))
    last = read[:, -1]
    written = layers.LSTM(64, return_sequences=True)(
        layers.Embedding(13, 64, mask_zero=True)(given[1]), initial_state=[last, last]
    )
    attention = layers.Activation("softmax")(layers.Dot(axes=(2, 2))([written, read]))
    x = layers.Concatenate()([layers.Dot(axes=(2, 1))([attention, read]), written])
    x = layers.TimeDistributed(layers.Dense(64, activation="tanh"))(x)
    x = layers.TimeDistributed(layers.Dense(13, activation="softmax"))(x)
    return compiled(keras.Model(given, x), "adam", "categorical_crossentropy")


def jena():
    model = keras.Sequential([layers.Input((240, 14)), layers.GRU(32, reset_after=False), layers.Dense(1)])
    return compiled(model, "rmsprop", "mean_absolute_error")


def text():
    body = [layers.LSTM(128, return_sequences=True), layers.LSTM(128), layers.Dense(71, activation="softmax")]
    model = keras.Sequential([layers.Input((60, 71)), *body])
    return compiled(model, keras.optimizers.RMSprop(0.01), "categorical_crossentropy")


LOSSES = ["binary_crossentropy", "sparse_categorical_crossentropy"]


def adversarial(model):
    return compiled(model, keras.optimizers.Adam(0.0002, beta_1=0.5), LOSSES)


def discriminator():
    image = layers.Input((28, 28, 1))
    x = image
    for i, filters in enumerate([32, 64, 128, 256]):
        x = layers.Conv2D(filters, 3, padding="same", strides=2 - i % 2)(x)
        x = layers.Dropout(0.3)(layers.LeakyReLU(negative_slope=0.2)(x))
    x = layers.Flatten()(x)
    outputs = [layers.Dense(1, activation="sigmoid")(x), layers.Dense(10, activation="softmax")(x)]
    return keras.Model(image, outputs)


def generator_model():
    judge = discriminator()
    judge.trainable = False
    latent, label = layers.Input((100,)), layers.Input((1,))
    x = layers.Multiply()([latent, layers.Flatten()(layers.Embedding(10, 100)(label))])
    x = layers.Reshape((3, 3, 384))(layers.Dense(3 * 3 * 384, activation="relu")(x))
    x = layers.BatchNormalization()(layers.Conv2DTranspose(192, 5, activation="relu")(x))
    x = layers.BatchNormalization()(layers.Conv2DTranspose(96, 5, strides=2, padding="same", activation="relu")(x))
    x = layers.Conv2DTranspose(1, 5, strides=2, padding="same", activation="tanh")(x)
    return adversarial(keras.Model([latent, label], judge(x)))


reviews = lambda: (whole(10000, 128, 100), whole(2, 128, 1))
additions = lambda: (one_hot(12, 128, 5), one_hot(12, 128, 3))

# By name: the model, and a batch of its data.
MODELS = {
    "mnist-CNN": (
        lambda: convolutional((28, 28, 1), "valid", (0, 0.25, 0.5), "rmsprop"),
        lambda: (uniform(128, 28, 28, 1), one_hot(10, 128)),
    ),
    "iris": (
        lambda: dense(
            (4,), [10], layers.Dense(3, activation="softmax"), keras.optimizers.Adam(0.01), "categorical_crossentropy", ["accuracy"]
        ),
        lambda: (uniform(32, 4), one_hot(3, 32)),
    ),
    "Boston-housing": (
        lambda: dense((12,), [50, 50], layers.Dense(1), keras.optimizers.SGD(0.01), "mean_squared_error"),
        lambda: (uniform(40, 12), uniform(40, 1)),
    ),
    "sentiment-LSTM": (lambda: sentiment(layers.LSTM(32)), reviews),
    "sentiment-CNN": (sentiment_cnn, reviews),
    "addition-RNN": (lambda: addition(layers.SimpleRNN), additions),
    "addition-LSTM": (lambda: addition(layers.LSTM), additions),
    "date-conversion": (
        date_conversion,
        lambda: ([whole(35, 128, 12), whole(13, 128, 10)], one_hot(13, 128, 10)),
    ),
    "jena-GRU": (jena, lambda: (uniform(128, 240, 14), uniform(128, 1))),
    "cifar-CNN": (
        lambda: convolutional((32, 32, 3), "same", (0.25, 0.25, 0.5), keras.optimizers.RMSprop(1e-4)),
        lambda: (uniform(32, 32, 32, 3), one_hot(10, 32)),
    ),
    "ACGAN-discriminator": (
        lambda: adversarial(discriminator()),
        lambda: (uniform(200, 28, 28, 1), [whole(2, 200, 1) * 0.95, whole(10, 200, 1)]),
    ),
    "ACGAN-generator": (
        generator_model,
        lambda: ([uniform(100, 100), whole(10, 100, 1)], [numpy.full((100, 1), 0.95, "float32"), whole(10, 100, 1)]),
    ),
    "text-generation": (text, lambda: (one_hot(71, 128, 60), one_hot(71, 128))),
}


def run(model, batch, steps):
    started = time.perf_counter()
    for _ in range(steps):
        logs = model.train_on_batch(*batch, return_dict=True)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    first = batch[1][0] if isinstance(batch[1], list) else batch[1]
    return {
        "steps": steps,
        "examples": steps * len(first),
        "seconds": seconds,
        "loss": float(logs["loss"]),
        # Not every model counts it.
        "accuracy": float(logs.get("accuracy", 0)),
        "peakMemory": peak,
    }


def main():
    # A library that prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    answer({"program": "keras", "versions": versions, "threads": os.cpu_count(), "contestants": list(MODELS)})
    built = {}
    for line in sys.stdin:
        _, name, steps = line.split()
        if name not in built:
            build, data = MODELS[name]
            built = {name: (build(), tuple(ops.convert_to_tensor(part) if hasattr(part, "shape") else [*map(ops.convert_to_tensor, part)] for part in data()))}
        answer(run(*built[name], int(steps)))


main()
