"""Batch normalization by PyTorch in float64: reads cases as JSON, prints what PyTorch makes of them."""

import json
import sys

import torch


def batch_norm(shape, case):
    """A module with the case's weights; this project's momentum is the share kept, PyTorch's the share added."""
    kind = torch.nn.BatchNorm2d if len(shape) == 4 else torch.nn.BatchNorm1d
    module = kind(shape[-1], eps=case["epsilon"], momentum=1 - case["momentum"]).double()
    names = {"weight": "gamma", "bias": "beta", "running_mean": "movingMean", "running_var": "movingVariance"}
    with torch.no_grad():
        for theirs, ours in names.items():
            getattr(module, theirs).copy_(tensor(case["vectors"][ours]))
    return module


def tensor(values, shape=(-1,)):
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def channels_second(x):
    return x.permute(0, 3, 1, 2) if x.dim() == 4 else x


def channels_last(x):
    return x.permute(0, 2, 3, 1) if x.dim() == 4 else x


def flat(x):
    return x.detach().reshape(-1).tolist()


def evaluate(case, training):
    module = batch_norm(case["shape"], case).train(training)
    x = tensor(case["x"], case["shape"]).requires_grad_()
    y = channels_last(module(channels_second(x)))
    y.backward(tensor(case["dy"], case["shape"]))
    return {
        "y": flat(y),
        "movingMean": flat(module.running_mean),
        "movingVariance": flat(module.running_var),
        "∂x": flat(x.grad),
        "∂γ": flat(module.weight.grad),
        "∂β": flat(module.bias.grad),
    }


def train(run):
    module = batch_norm(run["shape"], {**run, "vectors": run["start"]}).train()
    kernel = tensor(run["start"]["kernel"], (run["inputs"], -1)).requires_grad_()
    optimizer = torch.optim.SGD([kernel, *module.parameters()], lr=run["learningRate"])
    for batch in run["batches"]:
        hidden = (tensor(batch["x"], (-1, run["inputs"])) @ kernel).reshape(run["shape"])
        y = channels_last(module(channels_second(hidden)))
        loss = ((y - tensor(batch["target"], run["shape"])) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {
        "kernel": flat(kernel),
        "gamma": flat(module.weight),
        "beta": flat(module.bias),
        "movingMean": flat(module.running_mean),
        "movingVariance": flat(module.running_var),
        "loss": [loss.item()],
    }


given = json.load(sys.stdin)
json.dump(
    {
        "version": torch.__version__,
        "cases": [{str(mode).lower(): evaluate(case, mode) for mode in (True, False)} for case in given["cases"]],
        "run": train(given["run"]),
    },
    sys.stdout,
)
