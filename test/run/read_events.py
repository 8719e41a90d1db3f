"""Reads a log folder as TensorBoard does. Prints JSON: for each run its scalars, histograms and hyper-parameters."""
import json, sys
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

# 0 keeps all there is; TensorBoard itself shows a sample of many values.
everything = {"scalars": 0, "histograms": 0, "tensors": 0}
multiplexer = plugin_event_multiplexer.EventMultiplexer(size_guidance=everything, tensor_size_guidance=everything)
multiplexer.AddRunsFromDirectory(sys.argv[1])
multiplexer.Reload()


def read(run, plugin):
    tags = multiplexer.PluginRunToTagToContent(plugin).get(run, {})
    return {
        tag: [[event.step, tensor_util.make_ndarray(event.tensor_proto).tolist()] for event in multiplexer.Tensors(run, tag)]
        for tag in tags
    }


def hyperparameters(run):
    tags = multiplexer.PluginRunToTagToContent("hparams").get(run, {})
    found = {}
    for content in tags.values():
        data = plugin_data_pb2.HParamsPluginData.FromString(content)
        for name, value in data.session_start_info.hparams.items():
            found[name] = getattr(value, value.WhichOneof("kind"))
        if data.HasField("session_end_info"):
            found["status"] = data.session_end_info.status
    return found


print(json.dumps({
    run: {"scalars": read(run, "scalars"), "histograms": read(run, "histograms"), "hparams": hyperparameters(run)}
    for run in multiplexer.Runs()
}))
