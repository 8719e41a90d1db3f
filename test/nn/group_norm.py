"""Group normalization by PyTorch in float64: reads cases as JSON, prints what PyTorch makes of them."""

import json
import sys

import torch


def tensor(values, shape=(-1,)):
    return torch.tensor(values, dtype=torch.float64).reshape(shape).requires_grad_()


def evaluate(case):
    x, gamma, beta = tensor(case["x"], case["shape"]), tensor(case["gamma"]), tensor(case["beta"])
    y = torch.nn.functional.group_norm(x.movedim(-1, 1), case["groups"], gamma, beta, eps=1e-5).movedim(1, -1)
    y.backward(tensor(case["dy"], case["shape"]))
    named = {"y": y, "dx": x.grad, "dGamma": gamma.grad, "dBeta": beta.grad}
    return {name: value.detach().reshape(-1).tolist() for name, value in named.items()}


print(json.dumps([evaluate(case) for case in json.load(sys.stdin)]))
