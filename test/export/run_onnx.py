"""Runs a .onnx file on images: FILE IMAGES HEIGHT WIDTH, the images uint8; prints the probabilities as float32."""
import sys

import numpy
import onnx
import onnxruntime

file, images, height, width = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
onnx.checker.check_model(file, full_check=True)
session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
assert [(i.name, i.shape, i.type) for i in session.get_inputs()] == [
    ("images", ["batch", height, width, 1], "tensor(float)")
], session.get_inputs()
assert [o.name for o in session.get_outputs()] == ["logits", "probabilities"]
x = (numpy.fromfile(images, numpy.uint8).astype(numpy.float32) / numpy.float32(255)).reshape(-1, height, width, 1)
parts = [x[:1], *(x[i : i + 250] for i in range(1, len(x), 250))]
results = [session.run(None, {"images": part}) for part in parts]
logits, probabilities = (numpy.concatenate(result) for result in zip(*results))
assert (logits.argmax(1) == probabilities.argmax(1)).all()
sys.stdout.buffer.write(probabilities.astype("<f4").tobytes())
