"""The exercises of ``pytorch``: what one writes oneself in torch, and what it does unasked.

Conventions: torch's own. Batch first; a mask is True where there is something; class labels are
int64; a standard deviation here divides by N; losses are means over the samples. Tensors are
float64 where numbers are compared, and a tensor is told from an array, and from one on a graph.
"""

# Answers stand here as learners write them, without types: mypy would take `total = 0` for a number
# that stays whole, and a module's buffer for a module.
# mypy: disable-error-code="arg-type, assignment, call-arg, misc, operator, union-attr"

import numpy as np
import torch
from torch import nn

from dlcourse.checks.core.exercise import Case, Exercise, Question

TENSORS, MODULES, LOOP = "pytorch-tensors", "pytorch-modules", "pytorch-loop"
FORBIDS = ("sklearn", "dlcourse.scratch", "dlcourse.models", "dlcourse.training")


# tensor_forecast ------------------------------------------------------------------

tensor_forecast = Exercise(
    "tensor_forecast",
    "Predict: eight lines of torch",
    parts=dict.fromkeys(
        ("shape", "loss", "picked", "view", "stride", "divided", "promoted", "gradient"), 1
    ),
    minutes=15,
    difficulty=2,
    outcomes=(TENSORS,),
    kind="predict",
    of="value",
    forbids=FORBIDS,
)


@tensor_forecast.answer
def _():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 1, 4],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.alternative
def as_torch_says():
    a, base, w = torch.arange(12).reshape(3, 4), torch.zeros(4), torch.tensor(3.0)
    front, chosen, w = base[1:3], base[[1, 2]], w.requires_grad_()
    front += 1
    chosen += 5
    for _ in range(2):
        (w * w).backward()
    prediction, target = torch.tensor([[1.0], [3.0]]), torch.tensor([1.0, 3.0])
    one, two = torch.ones(3), torch.tensor(2.0, dtype=torch.float64)
    return {
        "shape": tuple((torch.zeros(2, 1, 3) + torch.zeros(4, 1)).shape),
        "loss": ((prediction - target) ** 2).mean().item(),
        "picked": a[[0, 2], [1, 3]].tolist(),
        "view": base.sum().item(),
        "stride": torch.zeros(2, 3, 4).transpose(1, 2).stride(),
        "divided": str((torch.tensor([1, 2]) / 2).dtype).removeprefix("torch."),
        "promoted": str((one * two).dtype).removeprefix("torch."),
        "gradient": w.grad.item(),
    }


@tensor_forecast.alternative
def in_integers_and_tuples():
    return {
        "shape": (2, 4, 3),
        "loss": 2,
        "picked": (1, 11),
        "view": 2,
        "stride": (12, 1, 4),
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12,
    }


@tensor_forecast.mistake(
    "`shape`: write the two shapes one above the other, flush right. Which axes are missing, which "
    "have length 1?",
    loses=("shape",),
)
def aligned_on_the_left():
    return {
        "shape": [4, 1, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 1, 4],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`loss`: so it would be if the difference had two entries. Which shape has it?",
    loses=("loss",),
)
def no_loss_where_they_agree():
    return {
        "shape": [2, 4, 3],
        "loss": 0.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 1, 4],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`picked`: that is a block of rows and columns, which slices give, or `np.ix_`. Two lists are "
    "walked side by side.",
    loses=("picked",),
)
def block_of_rows_and_columns():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [[1, 3], [9, 11]],
        "view": 2.0,
        "stride": [12, 1, 4],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`view`: both write into `base`, you say. A slice can be described by a start and a step. Can "
    "a list of places?",
    loses=("view",),
)
def a_list_is_a_view_too():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 12.0,
        "stride": [12, 1, 4],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`view`: neither writes into `base`, you say. One of the two has no memory of its own.",
    loses=("view",),
)
def a_slice_is_a_copy():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 0.0,
        "stride": [12, 1, 4],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`stride`: those are the strides of a tensor that was made in this shape. Did any number move "
    "in memory?",
    loses=("stride",),
)
def strides_of_a_copy():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 3, 1],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`stride`: those are its strides before. `transpose` swaps two of the axes.",
    loses=("stride",),
)
def strides_as_they_were():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 4, 1],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`divided`: that is NumPy's answer. Which type has `torch.zeros(3)`?", loses=("divided",)
)
def divided_as_numpy():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 1, 4],
        "divided": "float64",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`divided`: `/` is true division; what stays whole is `//`.", loses=("divided",)
)
def divided_to_integers():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 1, 4],
        "divided": "int64",
        "promoted": "float32",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`promoted`: so it would be for two tensors that both have axes. One of these has none, and "
    "torch treats it like a number.",
    loses=("promoted",),
)
def promoted_by_a_number():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 1, 4],
        "divided": "float32",
        "promoted": "float64",
        "gradient": 12.0,
    }


@tensor_forecast.mistake(
    "`gradient`: that is what one call leaves. What does the second do with what is there?",
    loses=("gradient",),
)
def gradient_overwritten():
    return {
        "shape": [2, 4, 3],
        "loss": 2.0,
        "picked": [1, 11],
        "view": 2.0,
        "stride": [12, 1, 4],
        "divided": "float32",
        "promoted": "float32",
        "gradient": 6.0,
    }


# RaggedSet --------------------------------------------------------------------------

ragged_set = Exercise(
    "RaggedSet",
    "A data set of sequences",
    parts={"length": 1, "items": 1, "own": 1, "padded": 2, "mask": 1, "labels": 1},
    minutes=18,
    difficulty=2,
    outcomes=(MODULES,),
    of="class",
    forbids=FORBIDS,
)


@ragged_set.cases
def _(rng):
    def made(*lengths):
        return [rng.integers(0, 4, size=n) for n in lengths]

    yield Case(([np.array([3, 0, 2]), np.array([1])], np.array([1, 0]), 2), "a 0 that is an entry")
    yield Case((made(2), np.array([2]), 3), "one sequence")
    yield Case(
        ([*made(5, 2), np.array([0, 0]), *made(1)], rng.integers(5, size=4), 2), "two batches"
    )
    yield Case((made(3, 0, 2), rng.integers(5, size=3), 3), "a sequence without entries")
    yield Case((made(4, 4, 4), rng.integers(5, size=3), 3), "all equally long")
    yield Case((made(1, 2, 6, 1, 3), rng.integers(5, size=5), 3), "a last batch that is smaller")
    while True:
        n = int(rng.integers(2, 7))
        yield made(*rng.integers(1, 7, size=n)), rng.integers(5, size=n), int(rng.integers(1, 4))


@ragged_set.observe
def _(candidate, sequences, labels, batch_size):
    import torch
    from torch.utils.data import DataLoader

    data = candidate([s.copy() for s in sequences], labels.copy())
    places = range(len(labels))
    items = [data[i] for i in places]
    said = [[s.clone() if isinstance(s, torch.Tensor) else s, label] for s, label in items]
    batches = list(
        DataLoader(
            data,
            batch_size=batch_size,
            sampler=places,
            collate_fn=candidate.collate,
            generator=torch.Generator(),  # the learner's stays as it is
        )
    )
    taken = data[0][0]
    if isinstance(taken, torch.Tensor):
        taken.fill_(99)
    return {
        "length": len(data),
        "items": said,
        "own": bool((torch.as_tensor(data[0][0]) != 99).all()),
        "padded": [batch[0] for batch in batches],
        "mask": [batch[1] for batch in batches],
        "labels": [batch[2] for batch in batches],
    }


@ragged_set.answer
class RaggedSetAnswer(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        return padded, mask, torch.tensor(labels)


@ragged_set.alternative
class RowByRow(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.items = [(torch.from_numpy(s), n) for s, n in zip(sequences, labels, strict=True)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        sequence, label = self.items[i]
        return sequence.clone(), label

    @staticmethod
    def collate(samples):
        longest = max(len(s) for s, _ in samples)
        padded = torch.zeros(len(samples), longest, dtype=torch.int64)
        mask = torch.zeros(len(samples), longest, dtype=torch.bool)
        for row, (s, _) in enumerate(samples):
            padded[row, : len(s)] = s
            mask[row, : len(s)] = True
        return padded, mask, torch.tensor([int(label) for _, label in samples])


@ragged_set.alternative
class PadsEachAndStacks:
    def __init__(self, sequences, labels):
        self.sequences = [s.tolist() for s in sequences]
        self.labels = labels.tolist()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i], dtype=torch.long), self.labels[i]

    @staticmethod
    def collate(samples):
        longest = max(len(s) for s, _ in samples)
        ends = [longest - len(s) for s, _ in samples]
        pad = nn.functional.pad
        padded = [pad(s, (0, end)) for (s, _), end in zip(samples, ends, strict=True)]
        mask = [
            pad(torch.ones_like(s).bool(), (0, end))
            for (s, _), end in zip(samples, ends, strict=True)
        ]
        return torch.stack(padded), torch.stack(mask), torch.LongTensor([n for _, n in samples])


@ragged_set.mistake(
    "A 0 may also be an entry. What, other than the padded numbers, says where a sequence ends?",
    loses=("mask",),
)
class MaskFromZeros(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        return padded, padded != 0, torch.tensor(labels)


@ragged_set.mistake(
    "Your mask is True where there is padding, as torch's `key_padding_mask`. Here it is True "
    "where there is something, as in the `attn_mask` of its attention.",
    loses=("mask",),
)
class MaskOfThePadding(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        return padded, torch.arange(padded.shape[1]) >= lengths[:, None], torch.tensor(labels)


@ragged_set.mistake(
    "The mask should be Boolean: it chooses, and isn't calculated with.", loses=("mask",)
)
class MaskOfFloats(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        return padded, mask.float(), torch.tensor(labels)


@ragged_set.mistake(
    "You pad in front. Here the padding stands behind, so that position 0 is a sequence's first.",
    loses=("padded", "mask"),
)
class PadsInFront(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence([s.flip(0) for s in sequences], batch_first=True).flip(1)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = (torch.arange(padded.shape[1]) < lengths[:, None]).flip(1)
        return padded, mask, torch.tensor(labels)


@ragged_set.mistake(
    "The padding is another number than 0. (-100 is what `cross_entropy` ignores in labels; these "
    "are inputs.)",
    loses=("padded",),
)
class PadsWithTheIgnoredLabel(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        pad = nn.utils.rnn.pad_sequence
        padded = pad(sequences, batch_first=True, padding_value=-100)
        lengths = torch.tensor([len(s) for s in sequences])
        return padded, torch.arange(padded.shape[1]) < lengths[:, None], torch.tensor(labels)


@ragged_set.mistake(
    "Your batch lies on its side: which axis does `pad_sequence` put first, unless told otherwise?",
    loses=("padded",),
)
class StepsFirst(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences)
        lengths = torch.tensor([len(s) for s in sequences])
        return padded, torch.arange(len(padded)) < lengths[:, None], torch.tensor(labels)


@ragged_set.mistake(
    "The padded batch should be int64, as the entries are. Which type does `torch.zeros` make?",
    loses=("padded",),
)
class PaddedInFloats(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        longest = max(len(s) for s, _ in samples)
        padded = torch.zeros(len(samples), longest)
        mask = torch.zeros(len(samples), longest, dtype=torch.bool)
        for row, (s, _) in enumerate(samples):
            padded[row, : len(s)] = s
            mask[row, : len(s)] = True
        return padded, mask, torch.tensor([label for _, label in samples])


@ragged_set.mistake(
    "Somebody writes into an item, and your data are no longer what they were. Which functions "
    "make a tensor on the memory of an array, and which copy?",
    loses=("own",),
)
class SharesMemory(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.from_numpy(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        return padded, mask, torch.tensor(labels)


@ragged_set.mistake(
    "You pad each item to the longest sequence of all. An item is as long as it is; a batch is as "
    "long as the longest of its own.",
    loses=("items", "padded", "mask"),
)
class PadsInGetitem(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels
        self.longest = max(len(s) for s in sequences) + 1

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        s = torch.tensor(self.sequences[i])
        return nn.functional.pad(s, (0, self.longest - len(s))), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = torch.stack(sequences)
        return padded, padded != 0, torch.tensor(labels)


@ragged_set.mistake(
    "A label is a class, and `cross_entropy` wants classes as int64.", loses=("labels",)
)
class LabelsInFloats(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        return padded, mask, torch.Tensor(labels)


@ragged_set.mistake("The labels of a batch should be one tensor, not a list.", loses=("labels",))
class LabelsInAList(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        return padded, mask, list(labels)


@ragged_set.mistake("The length of a data set is the number of its items.", loses=("length",))
class CountsEntries(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return sum(len(s) for s in self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        return padded, mask, torch.tensor(labels)


@ragged_set.mistake(
    "An item's label should be a number; yours is a tensor with an axis.", loses=("items",)
)
class LabelWithAnAxis(torch.utils.data.Dataset):
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), torch.tensor([self.labels[i]])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples, strict=True)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        return padded, mask, torch.cat(labels)


# Standardise --------------------------------------------------------------------------

standardise = Exercise(
    "Standardise",
    "A module with buffers",
    parts={"forward": 2, "state": 1, "moves": 1, "learns": 1},
    n=6,
    minutes=18,
    difficulty=2,
    outcomes=(MODULES,),
    of="class",
    forbids=FORBIDS,
)


@standardise.cases
def _(rng):
    def made(n, d, constant=False):
        x = rng.normal(size=(n, d)) * rng.uniform(0.5, 3, size=d) + rng.normal(size=d)
        if constant:
            x[:, 0] = 0.5  # 0.5 and its mean are exact
        new, gain = rng.normal(size=(3, d)), rng.uniform(0.5, 2, size=d)
        return torch.tensor(x), torch.tensor(new), torch.tensor(gain)

    yield Case(made(4, 2), "four rows, two features")
    yield Case(made(4, 3, constant=True), "a feature that doesn't vary")
    yield Case(made(2, 1), "one feature")
    yield Case(made(3, 3), "as many rows as features")
    while True:
        yield made(*rng.integers(2, 6, size=2).tolist(), constant=bool(rng.random() < 0.2))


@standardise.observe
def _(candidate, x, new, gain):
    import torch

    def attempt(run):
        try:
            return run()
        except Exception as error:  # one part's error isn't another's
            return type(error).__name__

    net = candidate(x.shape[1]).double()
    before = net(new).detach().clone()
    with torch.no_grad():
        net.gain.copy_(gain)
    net.fit(new)
    net.fit(x)  # a second fit forgets the first
    after = net(new).detach().clone()
    state = {name: value.clone() for name, value in net.state_dict().items()}

    def reloaded():
        fresh = candidate(x.shape[1]).double()
        fresh.load_state_dict(state, strict=False)
        same = torch.allclose(fresh(new), net(new), rtol=0, atol=1e-12, equal_nan=True)
        return "yes" if same else "no"

    same = attempt(reloaded)
    numbers = attempt(lambda: [net.mean.detach().clone(), net.std.detach().clone()])
    learns = {name: p.requires_grad for name, p in net.named_parameters()}
    at = new.clone().requires_grad_()
    reached = attempt(lambda: "yes" if torch.autograd.grad(net(new).sum(), net.gain) else "no")
    passed = attempt(lambda: "yes" if torch.autograd.grad(net(at).sum(), at) else "no")
    single = attempt(lambda: str(net.float()(new.float()).dtype))
    away = torch.empty_like(new, dtype=torch.float32, device="meta")
    moved = attempt(lambda: net.to("meta")(away).device.type)
    return {
        "forward": {"before fit": before, "after": after, "mean and std": numbers},
        "state": {"names": sorted(state), "the same again": same},
        "moves": {"in float32": single, "on another device": moved},
        "learns": {
            "parameters": learns,
            "a gradient reaches gain": reached,
            "a gradient passes to the layer before": passed,
        },
    }


@standardise.answer
class StandardiseAnswer(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.alternative
class AssignsToItsBuffers(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.register_parameter("gain", nn.Parameter(torch.ones(features)))

    def fit(self, x):
        self.mean = x.mean(dim=0)
        self.std = ((x - self.mean) ** 2).mean(dim=0).sqrt()
        self.std[self.std == 0] = 1

    def forward(self, x):
        return (x - self.mean) * (self.gain / self.std)


@standardise.alternative
class WithBufferObjects(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.mean = nn.Buffer(torch.zeros(features))
        self.std = nn.Buffer(torch.ones(features))

    def fit(self, x):
        for d in range(x.shape[1]):
            self.mean[d] = x[:, d].sum() / len(x)
            variance = ((x[:, d] - self.mean[d]) ** 2).sum() / len(x)
            self.std[d] = variance.sqrt() if variance > 0 else 1.0

    def forward(self, x):
        return torch.sub(x, self.mean).div(self.std).mul(self.gain)


@standardise.mistake(
    "Mean and deviation are plain attributes. Which of a module's tensors does `state_dict()` "
    "name, and which does `.to()` move?",
    loses=("state", "moves"),
)
class PlainAttributes(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.mean, self.std = torch.zeros(features), torch.ones(features)

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean, self.std = x.mean(0), torch.where(std == 0, 1.0, std)

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "An optimiser that is handed `parameters()` would move your mean and deviation. Who is to set "
    "them?",
    loses=("learns",),
)
class AllParameters(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.mean = nn.Parameter(torch.zeros(features))
        self.std = nn.Parameter(torch.ones(features))

    def fit(self, x):
        std = x.std(0, correction=0)
        with torch.no_grad():
            self.mean.copy_(x.mean(0))
            self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "A parameter without a gradient is still handed to the optimiser, and counted. What does torch "
    "call a tensor that belongs to a module and isn't learnt?",
    loses=("learns",),
)
class FrozenParameters(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.mean = nn.Parameter(torch.zeros(features), requires_grad=False)
        self.std = nn.Parameter(torch.ones(features), requires_grad=False)

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "Saved and loaded, your module has forgotten what it was fitted to: which buffers are "
    "persistent?",
    loses=("state",),
)
class NotPersistent(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features), persistent=False)
        self.register_buffer("std", torch.ones(features), persistent=False)

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "Your module has its buffers only once it is fitted. Where would a fresh one put those that it "
    "loads?",
    loses=("state",),
)
class BuffersMadeInFit(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))

    def fit(self, x):
        std = x.std(0, correction=0)
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("std", torch.where(std == 0, 1.0, std))

    def forward(self, x):
        if not hasattr(self, "mean"):
            return self.gain * x
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "Nobody learns `gain`: it isn't among the parameters.",
    loses=("learns",),
)
class GainIsABuffer(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.register_buffer("gain", torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "By what does your standard deviation divide? torch's default is N - 1, NumPy's is N, and the "
    "statement's is N.",
    loses=("forward",),
)
class DividesByOneLess(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        std = x.std(0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "What becomes of a feature that doesn't vary? The statement says what to divide it by.",
    loses=("forward",),
)
class DividesByZero(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        self.mean.copy_(x.mean(0))
        self.std.copy_(x.std(0, correction=0))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "There is an eps under your root, as in batch normalisation. The statement has none.",
    loses=("forward",),
)
class EpsUnderTheRoot(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        self.mean.copy_(x.mean(0))
        self.std.copy_((x.var(0, correction=0) + 1e-3).sqrt())

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "One mean and one deviation for all: along which axis do you take them?", loses=("forward",)
)
class OneForAllFeatures(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        self.mean.copy_(x.mean())
        self.std.copy_(x.std(correction=0))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


@standardise.mistake(
    "Your forward measures the batch that it is handed, as batch normalisation does in training. "
    "Whose mean did `fit` keep, and what for?",
    loses=("forward",),
)
class MeasuresEachBatch(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain * (x - x.mean(0)) / x.std(0, correction=0)


@standardise.mistake(
    "`gain` is a parameter, and your result depends on it, but no gradient comes back to it: what "
    "does `detach` or `.data` cut off?",
    loses=("learns",),
)
class GainDetached(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain.detach() * (x - self.mean) / self.std


@standardise.mistake(
    "In a larger network this module has layers before it, and no gradient passes through it to "
    "them: what of `x` do you cut off from its graph?",
    loses=("learns",),
)
class InputDetached(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        with torch.no_grad():
            z = (x - self.mean) / self.std
        return self.gain * z


@standardise.mistake(
    "Your results are right, but where a feature doesn't vary `std` itself should be 1: it is what "
    "is saved, and what others read.",
    loses=("forward",),
)
class MendsItInForward(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        self.mean.copy_(x.mean(0))
        self.std.copy_(x.std(0, correction=0))

    def forward(self, x):
        return self.gain * (x - self.mean) / torch.where(self.std == 0, 1.0, self.std)


@standardise.mistake(
    "What is `gain` for? Your result doesn't depend on it, and so no gradient reaches it.",
    loses=("forward", "learns"),
)
class GainForgotten(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return (x - self.mean) / self.std


@standardise.mistake(
    "torch says that attributes can't be assigned yet. What has every module to do first?"
)
class WithoutSuper(nn.Module):
    def __init__(self, features):
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std


# LearntSwish ----------------------------------------------------------------------------

learnt_swish = Exercise(
    "LearntSwish",
    "A function with a backward of your own",
    parts={"y": 1, "dx": 2, "dbeta": 2},
    minutes=18,
    difficulty=3,
    outcomes=(MODULES,),
    kind="derive",
    of="class",
    forbids=FORBIDS,
)


@learnt_swish.cases
def _(rng):
    def made(*shape):
        x, beta = rng.normal(size=shape), rng.uniform(0.5, 2, size=shape[-1])
        return torch.tensor(x), torch.tensor(beta), torch.tensor(rng.normal(size=shape))

    yield Case(made(4, 3), "four samples, three features")
    x, beta, dy = made(3, 4)
    yield Case((torch.tensor(rng.normal(size=(4, 3))).T, beta, dy), "x is a transposed view")
    yield Case((x, beta, torch.tensor(rng.normal(size=(4, 3))).T), "dy is a transposed view")
    yield Case((x[:, ::2], beta[::2], dy[:, ::2]), "every second column of a larger tensor")
    yield Case(made(1, 3), "one sample")
    x, beta, dy = made(3, 3)
    big = torch.full_like(x, 2000.0)
    big[::2] = -2000.0  # both signs on every seed
    yield Case((big, beta, dy), "x of 2,000 and -2,000")
    yield Case((0 * x, beta, dy), "all x are 0")
    yield Case(made(2, 3, 4), "three axes: all but the last are samples")
    x, beta, dy = made(3, 2, 4)
    yield Case((x.transpose(0, 1), beta, dy.transpose(0, 1)), "three axes, two of them transposed")
    while True:
        n, d = rng.integers(1, 6, size=2).tolist()
        x, beta, dy = made(n, d)
        yield (x.T.contiguous().T, beta, dy) if rng.random() < 0.5 else (x, beta, dy)


@learnt_swish.observe
def _(candidate, x, beta, dy):
    import torch

    x, beta = x.detach().requires_grad_(), beta.detach().requires_grad_()
    y = candidate.apply(x, beta)
    if not isinstance(y.grad_fn, torch.autograd.function.BackwardCFunction):
        raise TypeError("y doesn't come from a torch.autograd.Function")
    dx, dbeta = torch.autograd.grad(y, (x, beta), dy, allow_unused=True)
    return {"y": y.detach(), "dx": dx, "dbeta": dbeta}


@learnt_swish.answer
class LearntSwishAnswer(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).sum(dim=tuple(range(x.ndim - 1)))
        return dy * (s + beta * slope), dbeta


@learnt_swish.alternative
class KeepsTheSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        s = torch.sigmoid(beta * x)
        ctx.save_for_backward(x, s, beta)
        return x * s

    @staticmethod
    def backward(ctx, dy):
        x, s, beta = ctx.saved_tensors
        rows = (dy * x**2 * s * (1 - s)).reshape(-1, x.shape[-1])
        return dy * s * (1 + beta * x * (1 - s)), torch.ones(len(rows), dtype=x.dtype) @ rows


@learnt_swish.alternative
class LeavesTheSumToTorch(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x / (1 + torch.exp(-beta * x))

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.special.expit(beta * x)
        # torch adds up a gradient that is broadcast; by hand it was `unbroadcast`
        return dy * s + dy * beta * x * s * (1 - s), dy * x * x * s * (1 - s)


@learnt_swish.alternative
class AsksTheEngine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        with torch.enable_grad():
            inputs = x.detach().requires_grad_(), beta.detach().requires_grad_()
            y = inputs[0] * torch.sigmoid(inputs[0] * inputs[1])
        ctx.graph = y, inputs
        return y.detach()

    @staticmethod
    def backward(ctx, dy):
        y, inputs = ctx.graph
        return torch.autograd.grad(y, inputs, dy)


@learnt_swish.mistake(
    "Your gradients would be right if `dy` were 1 everywhere. What comes back belongs into both.",
    loses=("dx", "dbeta"),
)
class ForgetsDy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        return s + beta * slope, (x * slope).sum(dim=tuple(range(x.ndim - 1)))


@learnt_swish.mistake(
    "Along how many ways does x reach y? You took the one beside the sigmoid.", loses=("dx",)
)
class OneWayOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        dbeta = (dy * x * x * s * (1 - s)).sum(dim=tuple(range(x.ndim - 1)))
        return dy * s, dbeta


@learnt_swish.mistake(
    "The slope of the sigmoid at beta x, with respect to x, has one more factor.", loses=("dx",)
)
class InnerSlopeForgotten(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).sum(dim=tuple(range(x.ndim - 1)))
        return dy * (s + slope), dbeta


@learnt_swish.mistake(
    "Where one beta serves many samples, each of them is a way. Are ways averaged where they meet?",
    loses=("dbeta",),
)
class MeanOverTheSamples(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).mean(dim=tuple(range(x.ndim - 1)))
        return dy * (s + beta * slope), dbeta


@learnt_swish.mistake(
    "You add up over the features too. Which samples and features does one entry of beta meet?",
    loses=("dbeta",),
)
class OneSumForAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        return dy * (s + beta * slope), (dy * x * slope).sum().expand_as(beta)


@learnt_swish.mistake(
    "By the product rule the x in front stays where it is, and the sigmoid brings out another x: "
    "how many are there in the slope with respect to beta?",
    loses=("dbeta",),
)
class OneXTooFew(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        return dy * (s + beta * slope), (dy * slope).sum(dim=tuple(range(x.ndim - 1)))


@learnt_swish.mistake(
    "Nothing comes back for beta. `None` is for inputs that can't be moved, such as a shape.",
    loses=("dbeta",),
)
class NothingForBeta(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        return dy * (s + beta * x * s * (1 - s)), None


@learnt_swish.mistake(
    "It fails where numbers don't lie one behind the other in memory: which method needs that they "
    "do, and which makes a copy if it must?"
)
class ViewsWhatIsNotContiguous(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return (x.view(-1, len(beta)) * torch.sigmoid(beta * x.view(-1, len(beta)))).view(x.shape)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        rows, dy = x.view(-1, len(beta)), dy.view(-1, len(beta))
        s = torch.sigmoid(beta * rows)
        slope = rows * s * (1 - s)
        return (dy * (s + beta * slope)).view(x.shape), (dy * rows * slope).sum(0)


@learnt_swish.mistake(
    "For large scores there is infinity over infinity: which of the two ways to write the sigmoid "
    "has no large power above the line?"
)
class SigmoidOverflows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.exp(beta * x) / (1 + torch.exp(beta * x))

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.exp(beta * x) / (1 + torch.exp(beta * x))
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).sum(dim=tuple(range(x.ndim - 1)))
        return dy * (s + beta * slope), dbeta


@learnt_swish.mistake(
    "float64 came in. Somewhere the numbers go through float32, and half of their digits are gone."
)
class SinglePrecision(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        x, beta = x.float(), beta.float()
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).sum(dim=tuple(range(x.ndim - 1)))
        return dy * (s + beta * slope), dbeta


@learnt_swish.mistake("You write into `dy`, which belongs to whoever handed it back.")
class WritesIntoDy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).sum(dim=tuple(range(x.ndim - 1)))
        return dy.mul_(s + beta * slope), dbeta


@learnt_swish.mistake(
    "There is no `apply`, which is how a function of your own is called. From which class does "
    "yours inherit it?"
)
class InheritsNothing:
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).sum(dim=tuple(range(x.ndim - 1)))
        return dy * (s + beta * slope), dbeta


@learnt_swish.mistake(
    "Here torch differentiates your forward by itself, and no backward of yours is ever called."
)
class LeavesItToTorch:
    @staticmethod
    def apply(x, beta):
        return x * torch.sigmoid(beta * x)


@learnt_swish.mistake(
    "torch's message says what doesn't fit. `backward` returns one gradient for each input of "
    "`forward`, in that order, each in the shape of its input."
)
class InTheOtherOrder(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).sum(dim=tuple(range(x.ndim - 1)))
        return dbeta, dy * (s + beta * slope)


# train_and_evaluate ---------------------------------------------------------------------

train_and_evaluate = Exercise(
    "train_and_evaluate",
    "An epoch that leaves no traces",
    parts={"losses": 2, "weights": 2, "modes": 1, "graph": 1, "outside": 1},
    n=6,
    minutes=20,
    difficulty=3,
    outcomes=(LOOP,),
    forbids=FORBIDS,
)


@train_and_evaluate.cases
def _(rng):
    def made(train, kept, training, stale, features=3, hidden=4, classes=3):
        size = {"1.weight": (hidden, features), "1.bias": (hidden,), "2.weight": (hidden,)}
        size |= {"2.bias": (hidden,), "4.weight": (classes, hidden), "4.bias": (classes,)}
        size |= {"2.running_mean": (hidden,), "2.running_var": (hidden,)}
        state = {name: torch.tensor(rng.normal(size=s)) for name, s in size.items()}
        state["2.running_var"] = state["2.running_var"].abs() + 0.5
        state["2.num_batches_tracked"] = torch.tensor(3)

        def batches(rows):
            x = [torch.tensor(rng.normal(size=(n, features))) for n in rows]
            return [(b, torch.tensor(rng.integers(classes, size=len(b)))) for b in x]

        lr = float(rng.uniform(0.1, 0.5))
        return state, batches(train), batches(kept), lr, training, stale

    yield Case(made((4, 4), (5,), True, False), "two batches of four")
    yield Case(made((4, 2, 3), (5, 2), True, False), "batches of different sizes")
    yield Case(made((4, 4), (3, 2), False, False), "a network that comes in evaluation mode")
    yield Case(made((4, 3), (4,), True, True), "a network with gradients left from before")
    yield Case(made((2,), (2, 3), False, True), "one batch, gradients left, evaluation mode")
    while True:
        sizes = [rng.integers(2, 6, size=rng.integers(1, 4)).tolist() for _ in range(2)]
        yield made(*sizes, bool(rng.random() < 0.5), bool(rng.random() < 0.3))


@train_and_evaluate.observe
def _(candidate, state, batches, held_out, lr, training, stale):
    import torch
    from torch import nn

    seen = []

    class First(nn.Module):
        def forward(self, x):
            seen.append([float(x.detach()[0, 0]), None])
            return x

    class Last(nn.Module):
        def forward(self, x):
            seen[-1][1] = x.requires_grad  # frozen parameters record nothing either
            return x

    hidden, features = state["1.weight"].shape
    net = nn.Sequential(
        First(),
        nn.Linear(features, hidden),
        nn.BatchNorm1d(hidden),
        nn.Tanh(),
        nn.Linear(hidden, len(state["4.bias"])),
        Last(),
    ).double()
    net.load_state_dict(state)
    net.train(training)
    if stale:
        for p in net.parameters():
            p.grad = torch.ones_like(p)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    random = torch.get_rng_state()
    try:
        out = candidate(net, optimizer, batches, held_out)
        outside = {
            "random numbers as before": bool(torch.equal(random, torch.get_rng_state())),
            "gradients on as before": torch.is_grad_enabled(),
            "parameters learn as before": all(p.requires_grad for p in net.parameters()),
        }
    finally:
        torch.set_grad_enabled(True)
        torch.set_rng_state(random)
    kept = {v for x, _ in held_out for v in x[:, 0].tolist()}
    recorded = [on for first, on in seen if first in kept]
    passes = [first for first, _ in seen if first not in kept]
    return {
        "losses": out,
        "weights": {name: value.detach() for name, value in net.state_dict().items()},
        "modes": [module.training for module in net.modules()],
        "graph": ("recorded" if any(recorded) else "not recorded") if recorded else "no pass",
        "outside": outside | {"passes of the training batches": len(passes)},
    }


@train_and_evaluate.answer
def _(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.alternative
def with_inference_mode(net, optimizer, batches, held_out):
    was = {module: module.training for module in net.modules()}
    try:
        net.train()
        losses = []
        for x, y in batches:
            optimizer.zero_grad(set_to_none=False)
            per_sample = nn.functional.cross_entropy(net(x), y, reduction="none")
            per_sample.mean().backward()
            optimizer.step()
            losses.append(per_sample.detach())
        net.eval()
        with torch.inference_mode():
            kept = [nn.functional.cross_entropy(net(x), y, reduction="none") for x, y in held_out]
        return torch.cat(losses).mean().item(), torch.cat(kept).mean().item()
    finally:
        for module, mode in was.items():
            module.training = mode


@train_and_evaluate.alternative
def held_out_at_once(net, optimizer, batches, held_out):
    mode, total, rows = net.training, 0.0, sum(len(y) for _, y in batches)
    loss_of = nn.CrossEntropyLoss()
    net.train(True)
    for x, y in batches:
        net.zero_grad()
        loss = loss_of(net.forward(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y) / rows

    @torch.no_grad()
    def evaluate():
        net.train(False)
        x, y = torch.cat([x for x, _ in held_out]), torch.cat([y for _, y in held_out])
        return loss_of(net(x), y).item()

    kept = evaluate()
    net.train(mode)
    return [total, kept]


@train_and_evaluate.mistake(
    "Each step repeats all earlier ones, and what was left from before. What does `backward` do "
    "with a gradient that is there already?",
    loses=("losses", "weights"),
)
def never_cleared(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "You clear the gradients after the step. With which gradients does the network come to you?",
    loses=("losses", "weights"),
)
def cleared_after_the_step(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "Evaluating has changed the network's running statistics. In which mode was it?",
    loses=("losses", "weights"),
)
def evaluated_in_training_mode(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "You train in the mode in which the network comes, and it may come in evaluation mode.",
    loses=("losses", "weights"),
)
def trained_as_it_came(net, optimizer, batches, held_out):
    mode = net.training
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "You leave the network in evaluation mode. What does the caller's next step do with it?",
    loses=("modes",),
)
def left_in_evaluation(net, optimizer, batches, held_out):
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "You leave the network in training mode, and it may have come in the other one.",
    loses=("modes",),
)
def left_in_training(net, optimizer, batches, held_out):
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train()
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "While it evaluates, torch records a graph that nobody walks back. (`eval()` doesn't stop it.)",
    loses=("graph",),
)
def graph_recorded(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    for x, y in held_out:
        kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
        kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "You take steps on the held-out batches.", loses=("losses", "weights", "graph")
)
def trains_on_what_is_held_out(net, optimizer, batches, held_out):
    mode, means = net.training, []
    for train, part in ((True, batches), (False, held_out)):
        net.train(train)
        total = count = 0
        for x, y in part:
            loss = nn.functional.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, count = total + loss.item() * len(x), count + len(x)
        means.append(total / count)
    net.train(mode)
    return tuple(means)


@train_and_evaluate.mistake(
    "A mean of the batches' means counts a small batch's samples for more than a large one's.",
    loses=("losses",),
)
def mean_of_means(net, optimizer, batches, held_out):
    mode, losses, kept = net.training, [], []
    net.train()
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        for x, y in held_out:
            kept.append(nn.functional.cross_entropy(net(x), y).item())
    net.train(mode)
    return sum(losses) / len(losses), sum(kept) / len(kept)


@train_and_evaluate.mistake(
    "You return tensors, and what they were made from is kept alive with them. Which method makes "
    "a number of a loss?",
    loses=("losses",),
)
def losses_as_tensors(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total = kept_total + nn.functional.cross_entropy(net(x), y) * len(x)
            kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "The held-out loss is to be that of the trained network. When do you take it?",
    loses=("losses",),
)
def evaluated_first(net, optimizer, batches, held_out):
    mode = net.training
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "You return sums over the samples. The statement asks for means.", loses=("losses",)
)
def sums(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = kept = 0.0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    net.eval()
    with torch.no_grad():
        for x, y in held_out:
            kept += nn.functional.cross_entropy(net(x), y).item() * len(x)
    net.train(mode)
    return total, kept


@train_and_evaluate.mistake(
    "You set the seed of torch's generator, which the whole program shares: after each of your "
    "epochs all others draw the same numbers again.",
    loses=("outside",),
)
def seeds_again(net, optimizer, batches, held_out):
    torch.manual_seed(0)
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "You switch gradients off, and nobody switches them on again: which form ends by itself?",
    loses=("outside",),
)
def gradients_off_for_good(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    torch.set_grad_enabled(False)
    for x, y in held_out:
        kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
        kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


@train_and_evaluate.mistake(
    "Your parameters no longer ask for gradients: the next epoch will learn nothing.",
    loses=("outside",),
)
def parameters_frozen(net, optimizer, batches, held_out):
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval().requires_grad_(False)
    kept_total = kept_count = 0
    for x, y in held_out:
        kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
        kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count


# mended_regressor ---------------------------------------------------------------------------

mended_regressor = Exercise(
    "mended_regressor",
    "Find the fault",
    parts={"losses": 1, "weights": 2},
    n=6,
    minutes=12,
    difficulty=2,
    outcomes=(TENSORS, LOOP),
    kind="mend",
    forbids=FORBIDS,
)


@mended_regressor.cases
def _(rng):
    def made(n, d, hidden, steps):
        size = {"0.weight": (hidden, d), "0.bias": (hidden,)}
        size |= {"2.weight": (1, hidden), "2.bias": (1,)}
        state = {name: torch.tensor(rng.normal(size=s)) for name, s in size.items()}
        x, y = torch.tensor(rng.normal(size=(n, d))), torch.tensor(rng.normal(size=n))
        return state, x, y, float(rng.uniform(0.02, 0.1)), steps

    yield Case(made(4, 3, 3, 3), "four samples, three steps")
    yield Case(made(1, 2, 3, 2), "one sample")
    yield Case(made(3, 3, 3, 1), "one step")
    yield Case(made(2, 1, 2, 4), "one feature")
    while True:
        yield made(*rng.integers(2, 6, size=3).tolist(), int(rng.integers(1, 5)))


@mended_regressor.observe
def _(candidate, state, x, y, lr, steps):
    from torch import nn

    hidden, features = state["0.weight"].shape
    net = nn.Sequential(nn.Linear(features, hidden), nn.Tanh(), nn.Linear(hidden, 1)).double()
    net.load_state_dict(state)
    losses = candidate(net, x, y, lr, steps)
    weights = {name: value.detach() for name, value in net.state_dict().items()}
    return {"losses": losses, "weights": weights}


@mended_regressor.answer
def _(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x).squeeze(1) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@mended_regressor.alternative
def the_other_one_reshaped(net, x, y, lr, steps):
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=lr), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x), y[:, None])
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return losses


@mended_regressor.alternative
def without_an_optimiser(net, x, y, lr, steps):
    losses = []
    for _ in range(steps):
        residual = net(x).flatten() - y
        loss = residual @ residual / len(y)
        grads = torch.autograd.grad(loss, list(net.parameters()))
        with torch.no_grad():
            for p, grad in zip(net.parameters(), grads, strict=True):
                p -= lr * grad
        losses.append(loss.item())
    return losses


@mended_regressor.mistake(
    "Print the shape of the difference before it is squared. How many entries has it?"
)
def as_it_was(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@mended_regressor.mistake("You add the squares up. Hers was a mean, which was right.")
def summed(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x).squeeze(1) - y) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@mended_regressor.mistake(
    "Half of the squared error is another loss than hers, which stays as it is."
)
def halved(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = 0.5 * ((net(x).squeeze(1) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@mended_regressor.mistake("The root of the mean has other gradients than the mean.")
def root_taken(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x).squeeze(1) - y) ** 2).mean().sqrt()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@mended_regressor.mistake("Your loss is the distance, hers its square.")
def distances(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = (net(x).squeeze(1) - y).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@mended_regressor.mistake(
    "The mean prediction against the mean answer: does a sample still meet its own answer?"
)
def means_compared(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = (net(x).mean() - y.mean()) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@mended_regressor.mistake(
    "The losses should be those before each step, as hers are.", loses=("losses",)
)
def after_the_step(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x).squeeze(1) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            losses.append(((net(x).squeeze(1) - y) ** 2).mean().item())
    return losses


@mended_regressor.mistake(
    "Your list holds tensors, and each of them its graph. Hers held numbers.", loses=("losses",)
)
def losses_on_their_graphs(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x).squeeze(1) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return losses


@mended_regressor.mistake(
    "The first step is right. In the later ones the gradients of all earlier steps are still there."
)
def never_emptied(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x).squeeze(1) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@mended_regressor.mistake(
    "torch says that nothing requires a gradient: what did you cut off together with the axis?"
)
def cut_off(net, x, y, lr, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((torch.tensor(net(x).tolist(), dtype=x.dtype).squeeze(1) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


same_network = Question(
    "same_network",
    "The same network, other numbers",
    points=4,
    minutes=10,
    outcomes=(LOOP,),
    rubric="""\
- 1 point: the order of the search: begin with the first number that differs, one thing at a time
  (same weights and same batch; the first loss; the gradients; the weights after one step).
- 1 point: two or more differences that show at the first loss or the first gradient, such as
  float32 against float64, other first values, sum against mean, a mode (dropout, batch norm).
- 1 point: one or more that show only later, such as the order of the batches, gradients that aren't
  cleared, an optimiser's convention or state, running statistics.
- 1 point: how to tell a fault from rounding: in float64 equal networks agree to about 12 digits or
  more and stay close; what shrinks with the precision is rounding, what stays is a fault.
- No point for "torch is only exact up to random noise" or "set a seed" without saying of what.""",
    exemplars={
        "full": """\
I'd make everything equal that can be: her weights copied into his network, both in float64, one
fixed batch, both in evaluation mode. Then I compare in order: the logits, the loss, each gradient,
the weights after one step. If the first loss differs it is the weights, the type, the mode, or a
sum where the other has a mean. If it is the second or a later step, I look at gradients that nobody
cleared, the optimiser's convention for momentum, or batches in another order. Rounding gives
differences around the 15th digit in float64 and around the 7th in float32: if going to float64
makes the gap a billion times smaller, it was rounding; if it stays, something else is computed.""",
        "partial": """\
torch calculates in float32 and NumPy in float64, so the numbers can't be the same. I would set both
to float64 and use the same starting weights and order of the batches.""",
        "typical": """\
Training is random, so two runs always differ a little. As long as both reach about the same
accuracy the port is right.""",
    },
)
