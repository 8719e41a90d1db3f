"""Reads names of ops, and prints as JSON which ops have which attributes for the types of their inputs."""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import tensorflow as tf  # registers the ops
from tensorflow.python.framework import op_def_registry


def named(op):
    attributes = []
    for argument in op_def_registry.get(op).input_arg:
        if argument.number_attr or argument.type_list_attr:
            break
        attributes.append(argument.type_attr or "-")
    while attributes and attributes[-1] == "-":
        attributes.pop()
    return " ".join(attributes)


ops = {}
for op in sys.stdin.read().split():
    ops.setdefault(named(op), []).append(op)
json.dump(ops, sys.stdout)
