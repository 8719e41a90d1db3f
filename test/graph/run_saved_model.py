"""Loads a SavedModel written by bn-train, assigns its variables, runs steps, and prints what they gave as JSON."""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
folder, request = sys.argv[1], json.load(sys.stdin)


def array(tensor):
    values = np.array(tensor["values"], dtype=tensor["dtype"]).reshape(tensor["shape"])
    return values.view(tensor.get("as", tensor["dtype"]))


with tf.Graph().as_default(), tf1.Session() as session:
    signatures = tf1.saved_model.load(session, ["train"], folder).signature_def
    values = request["variables"]
    session.run(
        [signatures["set"].outputs[f"done{i}"].name for i in range(len(values))],
        {signatures["set"].inputs[f"set{i}"].name: array(value) for i, value in enumerate(values)},
    )
    results = []
    for call in request["calls"]:
        step = signatures[call["step"]]
        outputs = [step.outputs[f"out{i}"].name for i in range(len(step.outputs))]
        feeds = {step.inputs[f"in{i}"].name: array(value) for i, value in enumerate(call["inputs"])}
        results.append(session.run(outputs, feeds))
    variables = session.run([signatures["get"].outputs[f"get{i}"].name for i in range(len(values))])

print(
    json.dumps(
        {
            "version": tf.__version__,
            "outputs": [[np.ravel(value).tolist() for value in result] for result in results],
            "variables": [np.ravel(value).tolist() for value in variables],
        }
    )
)
