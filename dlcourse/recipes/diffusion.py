"""Recorded run of the unit on diffusion: new digits, by diffusion and by a VAE, and their judges.

    python -m dlcourse.recipes.diffusion

MNIST-5k in three parts: images to train generators on; images to train a judge on, a classifier
that no generator has helped to make; images for the test. All are 12 by 12 pixels, a border cut off
and two by two pixels averaged, so that small networks will do. A denoiser and a variational
autoencoder, both told the digit, have the same number of parameters (to one in two hundred) and
train on the same number of batches. A learning rate for each is chosen by its own loss on the
judge's part, in short runs with the seeds ``TUNING``; the longer runs keep, of every ``EVERY``
batches, the weights with the smallest such loss. What they make is judged beside real test images,
copies of training images, the mean image of each digit, and normal laws, one a digit. It takes
less than ten minutes of one processor's time.
"""

import copy
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.splits import split
from dlcourse.models.diffusion import Denoiser, DenoiserConfig, denoising_loss
from dlcourse.models.vae import VAE, VAEConfig, vae_loss
from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.record import write
from dlcourse.scratch.diffusion import Schedule, ddim_step, ddpm_step, guided, linear_betas

SIZES, SIDE = (2500, 1500, 1000), 12  # training, judge, test; pixels a side
STEPS = 100  # of the schedule
BATCHES, BATCH, EVERY, SHORT = 4000, 64, 500, 800
DROP, AVERAGE = 0.1, 0.998  # labels left out; how much of the running mean of the weights stays
TUNING = (100, 101)
RATES = {
    "diffusion": (0.001, 0.003, 0.01, 0.03),
    "VAE": (0.001, 0.003, 0.01, 0.03),
}
HIDDEN, VAE_HIDDEN = 192, 346  # the same number of parameters
CALLS = (5, 10, 20, 50, 100)  # of the network, for DDIM
PUSHES = (0.0, 0.5, 1.0, 2.0, 4.0)  # w
SHRUNK = 0.7  # codes of the VAE, times this: its own way to trade variety for quality
SHOWN = 20  # images that are recorded
Net = TypeVar("Net", bound=nn.Module)
Part = tuple[np.ndarray, np.ndarray]  # images (N, 144) from 0 to 1 in float32, labels (N,)


# data -------------------------------------------------------------------------


@cache
def parts() -> tuple[Part, Part, Part]:
    """The generators' part, the judge's, and the test part: 2,500, 1,500 and 1,000 images."""
    images, labels, _ = load_mnist5k()
    inside = images[:, 2:26, 2:26] / 255
    small = inside.reshape(-1, SIDE, 2, SIDE, 2).mean(axis=(2, 4)).astype(np.float32)
    flat = small.reshape(len(small), -1)
    return tuple((flat[part], labels[part]) for part in split(labels, SIZES, seed=0))  # type: ignore


@cache
def scaling() -> tuple[np.ndarray, float]:
    """The mean image of the training part, and the deviation of its pixels around it."""
    images = parts()[0][0]
    mean = images.mean(axis=0)
    return mean, float((images - mean).std())


def scaled(images: np.ndarray) -> np.ndarray:
    """Pixels as the denoiser has them: around 0, with variance 1 over all."""
    mean, deviation = scaling()
    return (images - mean) / np.float32(deviation)


def unscaled(x: np.ndarray) -> np.ndarray:
    """Back to pixels, cut off at 0 and 1."""
    mean, deviation = scaling()
    return np.clip(x * deviation + mean, 0, 1).astype(np.float32)


@cache
def schedule() -> Schedule:
    """100 steps, after which 1/400 of the data's variance is left."""
    return Schedule(linear_betas(STEPS, 0.004, 0.11))


# training ---------------------------------------------------------------------


def _fit(model, loss, validation, lr: float, batches: int, items: int, rng) -> None:
    """Adam with a rate that rises for 50 batches and falls to 0, on a running mean of weights.

    ``loss(chosen)`` is of the training images ``chosen``. Of every EVERY batches, the mean weights
    with the smallest ``validation(model)`` are kept, and that loss as ``model.validation``; without
    a ``validation``, the last ones.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min((k + 1) / 50, 1) * (1 - k / batches)
    )
    average = copy.deepcopy(model)
    best = np.inf, average.state_dict()
    for done in range(1, batches + 1):
        value = loss(torch.from_numpy(rng.integers(items, size=BATCH)))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        falling.step()
        with torch.no_grad():
            stays = min(AVERAGE, done / (done + 10))
            for mean, now in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(now, 1 - stays)
        if validation is not None and (done % EVERY == 0 or done == batches):
            reached = validation(average)
            if reached < best[0]:
                best = reached, copy.deepcopy(average.state_dict())
    model.load_state_dict(best[1] if validation is not None else average.state_dict())
    model.validation = best[0]
    model.eval()


def _made(make: Callable[[], Net], seed: int) -> Net:
    """What ``make`` makes with torch's generator at ``seed``, which is then as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def denoiser(seed: int) -> Denoiser:
    """A denoiser with the first weights of ``seed``; torch's generator is left as it was."""
    bars = torch.tensor(schedule().alpha_bars)
    return _made(lambda: Denoiser(bars, DenoiserConfig(hidden_size=HIDDEN)), seed)


def fit_denoiser(
    lr: float, seed: int, batches: int = BATCHES, items: int | None = None
) -> Denoiser:
    """A trained denoiser; weights, batches, steps and noise follow from ``seed``.

    With ``items`` it sees only so many of the training images, and its last weights are kept.
    """
    model, generator = denoiser(seed), torch.Generator().manual_seed(1000 + seed)
    x0, labels = torch.from_numpy(scaled(parts()[0][0])), torch.from_numpy(parts()[0][1])

    def loss(chosen: Tensor) -> Tensor:
        t = torch.randint(STEPS, (len(chosen),), generator=generator)
        noise = torch.randn(len(chosen), x0.shape[1], generator=generator)
        drop = torch.rand(len(chosen), generator=generator) < DROP
        return denoising_loss(model, x0[chosen], labels[chosen], t, noise, drop)

    rng = np.random.default_rng(1000 + seed)
    watched = denoiser_validation if items is None else None
    _fit(model, loss, watched, lr, batches, items or len(x0), rng)
    return model


@torch.no_grad()
def denoiser_validation(model: Denoiser) -> float:
    """Its loss on the judge's part, with steps and noise drawn once and for all."""
    images, labels = parts()[1]
    generator = torch.Generator().manual_seed(0)
    x0 = torch.from_numpy(scaled(images))
    t = torch.arange(len(x0)) % STEPS
    noise = torch.randn(x0.shape, generator=generator)
    drop = torch.zeros(len(x0), dtype=torch.bool)
    return denoising_loss(model, x0, torch.from_numpy(labels), t, noise, drop).item()


def fit_vae(lr: float, seed: int, batches: int = BATCHES) -> VAE:
    """A trained variational autoencoder; everything drawn follows from ``seed``."""
    model = _made(lambda: VAE(VAEConfig(hidden_size=VAE_HIDDEN)), seed)
    generator = torch.Generator().manual_seed(1000 + seed)
    images, labels = (torch.from_numpy(a) for a in parts()[0])

    def loss(chosen: Tensor) -> Tensor:
        noise = torch.randn(len(chosen), VAEConfig().latent_size, generator=generator)
        return vae_loss(images[chosen], *model(images[chosen], labels[chosen], noise))

    rng = np.random.default_rng(1000 + seed)
    _fit(model, loss, vae_validation, lr, batches, len(images), rng)
    return model


@torch.no_grad()
def vae_validation(model: VAE) -> float:
    """Its loss on the judge's part, in nats an image, with noise drawn once and for all."""
    images, labels = (torch.from_numpy(a) for a in parts()[1])
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(len(images), VAEConfig().latent_size, generator=generator)
    return vae_loss(images, *model(images, labels, noise)).item()


# making images ----------------------------------------------------------------


@torch.no_grad()
def guess(model: Denoiser, x: np.ndarray, t: int, labels: np.ndarray, w: float) -> np.ndarray:
    """The denoiser's guess at the noise in ``x`` (N, 144), pushed by ``w``."""
    now = torch.from_numpy(x), torch.full((len(x),), t), torch.from_numpy(labels)
    with_label = model(*now).numpy()
    if w == 0:
        return with_label
    none = torch.full((len(x),), model.config.null)
    return guided(with_label, model(*now[:2], none).numpy(), w)


def visited(calls: int) -> list[int]:
    """The steps at which DDIM asks, evenly spread from the last to 0, and -1, the data."""
    return [*np.linspace(STEPS - 1, 0, calls).round().astype(int).tolist(), -1]


def sample(
    model: Denoiser,
    labels: np.ndarray,
    seed: int,
    *,
    w: float = 0.0,
    calls: int = 0,
    watch: Callable[[int, np.ndarray], None] | None = None,
) -> np.ndarray:
    """Images (N, 144) of ``labels``: by DDPM, or by DDIM with ``calls`` of the network.

    ``watch(t, x)`` is shown every x on the way, before step ``t`` is undone.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((len(labels), SIDE**2), dtype=np.float32)
    ways = visited(calls or STEPS)
    for t, to in zip(ways, ways[1:], strict=False):
        if watch is not None:
            watch(t, x)
        hat = guess(model, x, t, labels, w)
        if calls:
            x = ddim_step(x, t, to, hat, schedule())
        else:
            noise = rng.standard_normal(x.shape, dtype=np.float32)
            x = ddpm_step(x, t, hat, noise, schedule())
    return unscaled(x)


@torch.no_grad()
def vae_sample(model: VAE, labels: np.ndarray, seed: int, shrink: float = 1.0) -> np.ndarray:
    """Images (N, 144) from codes that are drawn and multiplied by ``shrink``."""
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((len(labels), model.config.latent_size), dtype=np.float32)
    return model.decode(torch.from_numpy(shrink * codes), torch.from_numpy(labels)).numpy()


def normal_sample(labels: np.ndarray, seed: int) -> np.ndarray:
    """Images from a normal law for each digit, with the mean and covariance of its images."""
    images, of = parts()[0]
    rng, out = np.random.default_rng(seed), np.empty((len(labels), SIDE**2), np.float32)
    for digit in range(10):
        own, wanted = images[of == digit].astype(np.float64), labels == digit
        law = own.mean(axis=0), np.cov(own.T)
        out[wanted] = rng.multivariate_normal(*law, size=int(wanted.sum()), method="eigh")
    return np.clip(out, 0, 1)


def copies(labels: np.ndarray, seed: int) -> np.ndarray:
    """Training images of the digits asked for, drawn at random."""
    images, of = parts()[0]
    rng = np.random.default_rng(seed)
    return np.stack([images[rng.choice(np.flatnonzero(of == digit))] for digit in labels])


def mean_images(labels: np.ndarray) -> np.ndarray:
    """The mean image of each digit asked for, over and over."""
    images, of = parts()[0]
    return np.stack([images[of == digit].mean(axis=0) for digit in range(10)])[labels]


# judging ----------------------------------------------------------------------


@cache
@torch.enable_grad()
def judge() -> nn.Sequential:
    """A small CNN, trained on the judge's part; shifts by a pixel come as they may."""
    images, labels = parts()[1]
    x, y = torch.from_numpy(images).reshape(-1, 1, SIDE, SIDE), torch.from_numpy(labels)
    rng = np.random.default_rng(0)

    def make() -> nn.Sequential:
        return nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(32 * (SIDE // 2) ** 2, 32), nn.ReLU(), nn.Linear(32, 10)),
        )

    net = _made(make, 0)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.003)
    for _ in range(20):
        for batch in torch.from_numpy(rng.permutation(len(x))).split(50):
            move = rng.integers(-1, 2, size=2).tolist()
            loss = nn.functional.cross_entropy(net(torch.roll(x[batch], move, (2, 3))), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


@torch.no_grad()
def read(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The digit (N,) that the judge reads, and the 32 features (N, 32) by which it does."""
    net = judge()
    features = net[:-1](torch.from_numpy(images).reshape(-1, 1, SIDE, SIDE))
    return net[-1](features).argmax(dim=1).numpy(), features.double().numpy()


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    r"""The Fréchet distance of two normal laws with means and covariances of features (N, F).

    :math:`\lVert \mu_1 - \mu_2 \rVert^2 + \operatorname{tr}(C_1 + C_2 - 2 (C_1 C_2)^{1/2})`.

    Source: Heusel et al., *GANs Trained by a Two Time-Scale Update Rule* (2017), equation 6.
    """
    covariances = [np.cov(features.T) for features in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    inside = np.linalg.eigvalsh(root @ covariances[1] @ root)  # the eigenvalues of C1 C2
    apart = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    traces = np.trace(covariances[0]) + np.trace(covariances[1])
    return float(max(apart + traces - 2 * np.sqrt(np.maximum(inside, 0)).sum(), 0))


def nearest(images: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Euclidean distance (N,) from each image to its nearest one of ``others``, and which it is."""
    first, second = images.astype(np.float64), others.astype(np.float64)
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    which = squares.argmin(axis=1)
    return np.sqrt(((first - second[which]) ** 2).sum(axis=1)), which


def variety(images: np.ndarray, labels: np.ndarray) -> float:
    """The mean distance between two images of the same digit."""
    means = []
    for digit in range(10):
        own = images[labels == digit].astype(np.float64)
        squares = (own**2).sum(1)[:, None] + (own**2).sum(1) - 2 * own @ own.T
        pairs = np.sqrt(np.maximum(squares, 0))[np.triu_indices(len(own), 1)]
        means.append(pairs.mean())
    return float(np.mean(means))


def inked(images: np.ndarray) -> np.ndarray:
    """Images with their ink times one factor for all, so that contrast is the training images'.

    Contrast is the mean deviation of the pixels within an image. The factor is the nearest of 0.5,
    0.51, ... 2.
    """
    goal, tried = parts()[0][0].std(axis=1).mean(), np.arange(0.5, 2.001, 0.01, dtype=np.float32)
    off = [abs(np.clip(f * images, 0, 1).std(axis=1).mean() - goal) for f in tried]
    return np.clip(tried[int(np.argmin(off))] * images, 0, 1)


def wanted() -> np.ndarray:
    """The digits that are asked for: 100 of each."""
    return np.arange(SIZES[2]) % 10


@cache
def close_by() -> float:
    """A hundredth of the test images are nearer to a training image than this."""
    return float(np.quantile(nearest(parts()[2][0], parts()[0][0])[0], 0.01))


def judged(images: np.ndarray, labels: np.ndarray) -> dict:
    """What the judges say of images (N, 144) that were to be ``labels``, item by item."""
    digits, features = read(images)
    distance, which = nearest(images, parts()[0][0])
    return {
        "right": digits == labels,
        "frechet": frechet(features, read(parts()[2][0])[1]),
        "even": frechet(read(inked(images))[1], read(parts()[2][0])[1]),
        "distance": distance,
        "which": which,
        "variety": variety(images, labels),
    }


def _row(name: str, found: list[dict], **more) -> dict:
    """What is recorded of one way to make images: each seed's numbers, their means and spreads."""
    each = {
        "agree": [float(f["right"].mean()) for f in found],
        "frechet": [f["frechet"] for f in found],
        "even": [f["even"] for f in found],
        "distance": [float(f["distance"].mean()) for f in found],
        "close": [float((f["distance"] < close_by()).mean()) for f in found],
        "variety": [f["variety"] for f in found],
    }
    row: dict = {"name": name}
    for key, values in each.items():
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        row[key] = {"each": values, "mean": float(np.mean(values)), "sd": sd}
    return row | more


def _hex(images: np.ndarray) -> list[str]:
    return [(255 * image).round().astype(np.uint8).tobytes().hex() for image in images]


def shown(row: dict) -> np.ndarray:
    """The recorded images (SHOWN, 12, 12) of a row, from 0 to 1."""
    pixels = [np.frombuffer(bytes.fromhex(text), np.uint8) for text in row["images"]]
    return np.stack(pixels).reshape(-1, SIDE, SIDE) / 255


# the run ----------------------------------------------------------------------


def _chosen(rates, validation) -> tuple[float, list[dict]]:
    tried = [
        {"lr": lr, "validation": float(np.mean([validation(lr, seed) for seed in TUNING]))}
        for lr in rates
    ]
    return min(tried, key=lambda each: each["validation"])["lr"], tried


def run(seeds: range = range(4), batches: int = BATCHES, short: int = SHORT) -> dict:
    """Rows (ways to make images, and their judges), curves, and the differences spoken of."""
    torch.set_num_threads(1)
    labels, (test, of_test) = wanted(), parts()[2]
    digits, features = read(test)
    again = copies(labels, 0)
    rows = [
        _row("real test images", [judged(test, of_test)], images=_hex(test[:SHOWN])),
        _row("training images, copied", [judged(again, labels)], images=_hex(again[:SHOWN])),
        _row("mean image of each digit", [judged(mean_images(labels), labels)]),
    ]
    rows[2]["images"] = _hex(mean_images(labels)[:SHOWN])
    normal = normal_sample(labels, 0)
    rows.append(
        _row("normal law of each digit", [judged(normal, labels)], images=_hex(normal[:SHOWN]))
    )
    fits: dict = {"diffusion": fit_denoiser, "VAE": fit_vae}
    models, cost = {}, {}
    for kind, fit in fits.items():
        lr, tried = _chosen(RATES[kind], lambda lr, seed, fit=fit: fit(lr, seed, short).validation)
        start = time.process_time()
        models[kind] = [fit(lr, seed, batches) for seed in seeds]
        parameters = sum(p.numel() for p in models[kind][0].parameters())
        cost[kind] = {
            "lr": lr,
            "tried": tried,
            "parameters": parameters,
            "seconds": round((time.process_time() - start) / len(seeds), 1),
            "validation": [m.validation for m in models[kind]],
        }
    ways: dict[str, tuple[str, Callable]] = {
        "VAE": ("VAE", lambda m, s: vae_sample(m, labels, s)),
        "VAE, codes shrunk": ("VAE", lambda m, s: vae_sample(m, labels, s, SHRUNK)),
        "diffusion, DDPM": ("diffusion", lambda m, s: sample(m, labels, s)),
        "diffusion, DDPM, w = 1": ("diffusion", lambda m, s: sample(m, labels, s, w=1.0)),
    }
    found = {}
    for name, (kind, make) in ways.items():
        made = [make(m, seed) for m, seed in zip(models[kind], seeds, strict=True)]
        found[name] = [judged(images, labels) for images in made]
        which = found[name][0]["which"][:SHOWN].tolist()
        rows.append(_row(name, found[name], images=_hex(made[0][:SHOWN]), which=which))
    calls, pushes = [], []
    for n in CALLS:
        by = [
            sample(m, labels, s, calls=n) for m, s in zip(models["diffusion"], seeds, strict=True)
        ]
        calls.append(_row(f"DDIM, {n} calls", [judged(i, labels) for i in by], calls=n))
    for w in PUSHES:
        by = [
            sample(m, labels, s, calls=20, w=w)
            for m, s in zip(models["diffusion"], seeds, strict=True)
        ]
        pushes.append(_row(f"w = {w}", [judged(i, labels) for i in by], w=w))
    pairs = []
    for first, second in (
        ("VAE", "diffusion, DDPM"),
        ("VAE, codes shrunk", "diffusion, DDPM"),
        ("VAE", "diffusion, DDPM, w = 1"),
        ("VAE, codes shrunk", "diffusion, DDPM, w = 1"),
        ("diffusion, DDPM", "diffusion, DDPM, w = 1"),
    ):
        right = [np.stack([f["right"] for f in found[name]]) for name in (first, second)]
        apart = paired_bootstrap(*right, rng=np.random.default_rng(0))
        pairs.append(
            {
                "first": first,
                "second": second,
                "difference": apart.mean,
                "low": apart.low,
                "high": apart.high,
                "told_apart": apart.told_apart,
            }
        )
    about = {"sizes": SIZES, "batches": batches, "batch": BATCH, "close_by": close_by()}
    about |= {"judge": float((digits == of_test).mean()), "cost": cost}
    return about | {"rows": rows, "calls": calls, "pushes": pushes, "pairs": pairs}


if __name__ == "__main__":
    start = time.process_time()
    seeds = range(4)
    result = run(seeds)
    path = write(
        "diffusion",
        result,
        seeds=seeds,
        seconds=time.process_time() - start,
        packages=("numpy", "torch", "mlxtend"),
    )
    print(f"wrote {path}")
