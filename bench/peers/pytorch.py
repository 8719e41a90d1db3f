"""The work of `bn-train bench` in PyTorch, on the CPU or a CUDA GPU, in every way that PyTorch offers to run it.

eager         op by op
compile       forward and backward by torch.compile
cudagraphs    the same with mode="reduce-overhead": CUDA graphs that PyTorch records by itself
loop          op by op, the rows of a whole turn sent at once and its results read once; on CUDA each step, optimizer
              included, is one CUDA graph (torch.cuda.graph), which the host only replays
loop+compile  the same with the kernels that torch.compile makes

The others read loss and correct count back after every step. The data stay on the device as uint8. TF32 is as PyTorch
has it by default (convolutions yes, matrix products no); on CUDA cuDNN tries its algorithms out and SGD is the fused one.
"""

import numpy
import torch
from torch import nn

import common

MODES = ("eager", "compile", "cudagraphs", "loop", "loop+compile")

options = common.arguments(device={"default": "cpu", "type": torch.device}, modes={"type": common.words})
device = options.device
on_cuda = device.type == "cuda"
if on_cuda:
    torch.cuda.set_device(device.index or 0)
    torch.backends.cudnn.benchmark = True
# All contestants compile one function; beyond the limit PyTorch would run it op by op and only warn.
torch._dynamo.config.recompile_limit = 64
torch._dynamo.config.fail_on_recompile_limit_hit = True
pixels, classes = common.load(options.data_dir)
images = torch.from_numpy(pixels).unsqueeze(1).to(device)
labels = torch.from_numpy(classes).to(device)


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
        # In place: a graph that is replayed reads and writes the same memory each time.
        self.moving_mean.lerp_(mean.detach(), 1 - common.MOMENTUM)
        self.moving_variance.lerp_(variance.detach(), 1 - common.MOMENTUM)
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
    return model.to(device)


class Loop:
    """Trains on a whole turn's batches without a word to the host in between; `step(rows)` returns loss and count on the device."""

    def __init__(self, step):
        self._step = step
        self._loss = torch.zeros((), device=device)
        self._correct = torch.zeros((), dtype=torch.int64, device=device)
        self._made = {}

    def train(self, batches):
        batches = list(batches)
        sent = torch.from_numpy(numpy.concatenate(batches)).to(device)
        self._loss.zero_()
        self._correct.zero_()
        for rows in sent.split([len(rows) for rows in batches]):
            if len(rows) not in self._made:
                self._made[len(rows)] = self._make(rows)
            read, run = self._made[len(rows)]
            read.copy_(rows)
            run()
        return self._loss.item(), self._correct.item()

    def _make(self, rows):
        """The place that the step reads its rows from, and what runs it: on CUDA, a graph."""
        read = rows.clone()

        def run():
            loss, correct = self._step(read)
            self._loss.add_(loss.detach(), alpha=len(read))
            self._correct.add_(correct)

        return read, self._capture(run).replay if on_cuda else run

    def _capture(self, run):
        """Runs three times first, aside, as PyTorch's manual asks: what is set up only once must not be captured."""
        before = self._loss.clone(), self._correct.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(side)
        self._loss.copy_(before[0])
        self._correct.copy_(before[1])
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return graph


def build(norm, mode):
    torch.manual_seed(common.SEED)
    model = lenet(norm)
    optimizer = torch.optim.SGD(model.parameters(), lr=common.LEARNING_RATE, fused=True if on_cuda else None)

    def forward(index):
        x = images[index].float() / 255
        y = labels[index].long()
        logits = model(x)
        return nn.functional.cross_entropy(logits, y), (logits.argmax(1) == y).sum()

    # Code of its own for the smaller last batch, so that the usual one stays specialized.
    if mode in ("compile", "loop+compile"):
        forward = torch.compile(forward, dynamic=False)
    if mode == "cudagraphs":
        # Otherwise the graphs would copy the whole data set to a place of their own at each step.
        for data in (images, labels):
            torch._dynamo.mark_static_address(data)
        forward = torch.compile(forward, dynamic=False, mode="reduce-overhead")

    def step(index):
        optimizer.zero_grad()
        loss, correct = forward(index)
        loss.backward()
        optimizer.step()
        return loss, correct

    if mode.startswith("loop"):
        return Loop(step).train

    def step_and_read(rows):
        loss, correct = step(torch.from_numpy(rows).to(device))
        return loss.item(), correct.item()

    return common.each(step_and_read)


modes = options.modes or (MODES if on_cuda else ("eager", "compile"))
for mode in modes:
    assert mode in MODES, f"--modes: expected some of {','.join(MODES)}, got {mode}"
builders = {
    f"{norm}/{mode}": lambda norm=norm, mode=mode: build(norm, mode)
    for norm in ("scratch", "builtin", "none")
    for mode in modes
}
versions = {"torch": torch.__version__}
if on_cuda:
    versions |= {"CUDA": torch.version.cuda, "GPU": torch.cuda.get_device_name(device)}
    versions["TF32"] = f"convolutions {torch.backends.cudnn.allow_tf32}, products {torch.backends.cuda.matmul.allow_tf32}"
common.serve("pytorch", versions, torch.get_num_threads(), builders, len(labels), options)
