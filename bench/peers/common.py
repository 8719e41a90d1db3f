"""What the peers share: the data in memory, the order of the examples, and the protocol that `bn-train bench --peer` speaks."""

import argparse
import gzip
import itertools
import json
import os
import platform
import resource
import signal
import sys
import time

import numpy

LEARNING_RATE = 1.0
MOMENTUM = 0.9
EPSILON = 1e-5
SEED = 1


def _read(folder, name, header):
    path = os.path.join(folder, name)
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz", "rb") as file:
        return numpy.frombuffer(file.read(), dtype=numpy.uint8)[header:].copy()


def load(folder):
    """Images [60000, 28, 28] and labels [60000], both uint8."""
    images = _read(folder, "train-images-idx3-ubyte", 16).reshape(-1, 28, 28)
    return images, _read(folder, "train-labels-idx1-ubyte", 8)


def _batches(count, size):
    """Rows of the training set, batch after batch, in a new order each epoch; as in bn-train, the first epoch has two whole batches left."""
    generator = numpy.random.default_rng(SEED)
    start = max(0, count // size - 2) * size
    while True:
        order = generator.permutation(count).astype(numpy.int32)
        for at in range(start, count, size):
            yield order[at : at + size]
        start = 0


def each(step):
    """Trains batch after batch by `step(rows)`, which returns mean loss and number correct as Python numbers, read back every time."""

    def train(batches):
        loss = correct = 0
        for rows in batches:
            batch_loss, batch_correct = step(rows)
            loss += batch_loss * len(rows)
            correct += batch_correct
        return loss, correct

    return train


class _Contestant:
    """Built at its first run; `train(batches)` trains on each and returns the sum of the examples' losses and how many were correct."""

    def __init__(self, build, count, batch_size):
        self._build = build
        self._train = None
        self._rows = _batches(count, batch_size)

    def run(self, steps):
        train = self._train = self._train or self._build()
        examples = 0

        def batches():
            nonlocal examples
            for rows in itertools.islice(self._rows, steps):
                examples += len(rows)
                yield rows

        started = time.perf_counter()
        loss, correct = train(batches())
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {
            "steps": steps,
            "examples": examples,
            "seconds": seconds,
            "loss": loss / examples,
            "accuracy": correct / examples,
            "peakMemory": peak,
        }


def words(text):
    return text.split(",")


def arguments(**more):
    """What every peer is given; `more` adds options of one peer, by name, as `add_argument` takes them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--norms", default="scratch,builtin,none", type=words)
    for name, settings in more.items():
        parser.add_argument(f"--{name}", **settings)
    return parser.parse_args()


def serve(program, versions, threads, builders, count, options):
    """Says who is here, then answers each line `RUN name steps`; `builders` maps norm/mode to what builds its `train(batches)`."""
    # A library that prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    contestants = {
        name: _Contestant(build, count, options.batch_size)
        for name, build in builders.items()
        if name.split("/")[0] in options.norms
    }

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    versions = {"python": platform.python_version(), **versions}
    answer({"program": program, "versions": versions, "threads": threads, "contestants": list(contestants)})
    for line in sys.stdin:
        command, name, steps = line.split()
        assert command == "RUN", line
        answer(contestants[name].run(int(steps)))
