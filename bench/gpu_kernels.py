"""Which ops of SavedModels (folders) have no GPU kernel, and which values would go between GPU and host within a step.

Needs no GPU, but a TensorFlow with CUDA's kernels: pip install tensorflow==2.18.1. A compiled step's save(folder) gives
the SavedModel, which is looked at before TensorFlow's optimizer. What a step is fed counts as the host's.
"""

import collections
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import kernels, op_def_registry


def type_name(number):
    return types_pb2.DataType.Name(number).removeprefix("DT_")


def kernel_of(node):
    """A GPU's own kernel before one for any device; None where there is neither."""
    fitting = {}
    for kernel in kernels.get_registered_kernels_for_op(node.op).kernel:
        fits = all(node.attr[c.name].type in c.allowed_values.list.type for c in kernel.constraint)
        if fits and not kernel.label:
            fitting[kernel.device_type] = kernel
    return fitting.get("GPU") or fitting.get("DEFAULT")


def arguments(definitions, node):
    for argument in definitions:
        count = node.attr[argument.number_attr].i if argument.number_attr else 1
        if argument.type_list_attr:
            count = len(node.attr[argument.type_list_attr].list.type)
        yield from [(argument.name, argument.type or node.attr[argument.type_attr].type)] * count


def places(definitions, node, kernel):
    """For each argument where its memory is, and its type."""
    host = None if kernel is None else set(kernel.host_memory_arg)
    for name, dtype in arguments(definitions, node):
        yield ("host" if host is None or name in host else "GPU"), type_name(dtype) if dtype else "resource"


for folder in sys.argv[1:]:
    model = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        model.ParseFromString(file.read())
    nodes = model.meta_graphs[0].graph_def.node
    kernel = {node.name: kernel_of(node) for node in nodes}
    op = {node.name: node.op for node in nodes}
    outputs = {
        node.name: list(places(op_def_registry.get(node.op).output_arg, node, kernel[node.name])) for node in nodes
    }
    found = collections.Counter()
    for node in nodes:
        if kernel[node.name] is None:
            found[f"no GPU kernel: {node.op} {sorted({t for _, t in outputs[node.name]})}"] += 1
        inputs = [name for name in node.input if not name.startswith("^")]
        to = places(op_def_registry.get(node.op).input_arg, node, kernel[node.name])
        for name, (target, dtype) in zip(inputs, to, strict=True):
            source, _, index = name.partition(":")
            start = outputs[source][int(index or 0)][0]
            if start != target and op[source] != "Placeholder":
                step = node.name.split("/")[0]
                found[f"{start} to {target}: {op[source]} to {node.op}, {dtype}, in {step}"] += 1
    print(f"{folder}: {len(nodes)} nodes")
    for what, count in sorted(found.items()):
        print(f"  {count} × {what}")
