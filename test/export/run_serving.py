"""Runs a SavedModel's serving_default on images: FOLDER IMAGES HEIGHT WIDTH, the images uint8; prints the probabilities as float32."""
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import numpy
import tensorflow as tf

folder, images, height, width = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
serve = tf.saved_model.load(folder).signatures["serving_default"]
given = serve.structured_input_signature[1]
assert {name: spec.shape.as_list() for name, spec in given.items()} == {"images": [None, height, width, 1]}, given
assert sorted(serve.structured_outputs) == ["logits", "probabilities"]
x = (numpy.fromfile(images, numpy.uint8).astype(numpy.float32) / numpy.float32(255)).reshape(-1, height, width, 1)
parts = [x[:1], *(x[i : i + 250] for i in range(1, len(x), 250))]
results = [serve(images=tf.constant(part)) for part in parts]
logits, probabilities = (numpy.concatenate([r[name] for r in results]) for name in ("logits", "probabilities"))
assert (logits.argmax(1) == probabilities.argmax(1)).all()
sys.stdout.buffer.write(probabilities.astype("<f4").tobytes())
