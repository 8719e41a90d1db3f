"""The work of `bn-train bench` in PyTorch: op by op, and compiled by torch.compile."""

import torch
from torch import nn

import common

options = common.arguments()
pixels, classes = common.load(options.data_dir)
images = torch.from_numpy(pixels).unsqueeze(1)
labels = torch.from_numpy(classes)


class BatchNorm(nn.Module):
    """Batch normalization from plain ops, its gradient left to autograd; biased variance, over all axes but the channels'."""

    def __init__(self, channels, rank):
        super().__init__()
        shape = (1, channels) + (1,) * (rank - 2)
        self.axes = (0,) if rank == 2 else (0, 2, 3)
        self.gamma = nn.Parameter(torch.ones(shape))
        self.beta = nn.Parameter(torch.zeros(shape))
        self.register_buffer("moving_mean", torch.zeros(shape))
        self.register_buffer("moving_variance", torch.ones(shape))

    def forward(self, x):
        mean = x.mean(self.axes, keepdim=True)
        variance = ((x - mean) ** 2).mean(self.axes, keepdim=True)
        self.moving_mean = common.MOMENTUM * self.moving_mean + (1 - common.MOMENTUM) * mean.detach()
        self.moving_variance = common.MOMENTUM * self.moving_variance + (1 - common.MOMENTUM) * variance.detach()
        return self.gamma * (x - mean) / torch.sqrt(variance + common.EPSILON) + self.beta


def normalization(norm, channels, rank):
    if norm == "scratch":
        return [BatchNorm(channels, rank)]
    if norm == "builtin":
        layer = nn.BatchNorm1d if rank == 2 else nn.BatchNorm2d
        # PyTorch's momentum is the new batch's share.
        return [layer(channels, eps=common.EPSILON, momentum=1 - common.MOMENTUM)]
    return []


def lenet(norm):
    def conv(inputs, filters):
        return [nn.Conv2d(inputs, filters, 5), *normalization(norm, filters, 4), nn.Sigmoid(), nn.AvgPool2d(2, 2)]

    def dense(inputs, units):
        return [nn.Linear(inputs, units), *normalization(norm, units, 2), nn.Sigmoid()]

    model = nn.Sequential(
        *conv(1, 6), *conv(6, 16), nn.Flatten(), *dense(256, 120), *dense(120, 84), nn.Linear(84, 10)
    )
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def build(norm, compiled):
    torch.manual_seed(common.SEED)
    model = lenet(norm)
    optimizer = torch.optim.SGD(model.parameters(), lr=common.LEARNING_RATE)

    def forward(index):
        x = images[index].float() / 255
        y = labels[index].long()
        logits = model(x)
        return nn.functional.cross_entropy(logits, y), (logits.argmax(1) == y).sum()

    if compiled:
        # Code of its own for the smaller last batch, so that the usual one stays specialized.
        forward = torch.compile(forward, dynamic=False)

    def step(rows):
        optimizer.zero_grad()
        loss, correct = forward(torch.from_numpy(rows))
        loss.backward()
        optimizer.step()
        return loss.item(), correct.item()

    return step


builders = {
    f"{norm}/{mode}": lambda norm=norm, mode=mode: build(norm, mode == "compile")
    for norm in ("scratch", "builtin", "none")
    for mode in ("eager", "compile")
}
common.serve("pytorch", {"torch": torch.__version__}, torch.get_num_threads(), builders, len(labels), options)
