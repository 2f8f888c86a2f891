"""Splits that don't leak: disjoint, stratified, and scaled by what the training part knows."""

from collections.abc import Sequence

import numpy as np


def split(labels: np.ndarray | int, sizes: Sequence[int], *, seed: int) -> list[np.ndarray]:
    """Disjoint index arrays of the given ``sizes``, shuffled and stratified by ``labels`` (N,).

    Every part has each class in its share of the whole: to within two items where all classes have
    one size, and to within C - 1, or 1, where C classes have any sizes. For data without classes
    ``labels`` is N itself. What the sizes leave over isn't used. Raises ValueError if the sizes ask
    for more than there is.
    """
    labels = np.zeros(labels, dtype=np.int64) if isinstance(labels, int) else np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"labels must be one a sample, of shape (N,), not {labels.shape}")
    if any(size < 0 for size in sizes) or sum(sizes) > len(labels):
        raise ValueError(f"parts of {tuple(sizes)} can't be cut from {len(labels)} items")
    rng = np.random.default_rng(seed)
    # Each class is shuffled and spread evenly over [0, 1); any slice of the merged line then holds
    # every class in proportion.
    place = np.empty(len(labels))
    for c in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == c))
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(sizes)
    return [rng.permutation(order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def standardise(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    r"""All parts as :math:`(x - \mu) / \sigma`, with mean and deviation of ``train`` (N, D) alone.

    Taking them from all the data would tell the training what the test set looks like. A column
    that is constant in ``train`` is only centred. Raises ValueError for an empty training part,
    for other widths, and for numbers that aren't finite, which would spread over their column.
    """
    if train.ndim != 2 or not len(train):
        raise ValueError(f"the training part must be (N, D) with N > 0, not {train.shape}")
    for part in (train, *others):
        if part.shape[1:] != train.shape[1:]:
            raise ValueError(f"parts differ in width: {train.shape} and {part.shape}")
        if not np.isfinite(part).all():
            raise ValueError("some entries are NaN or infinite: leave those rows out, or fill them")
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    # Rounding gives a constant column a deviation of about 1e-16 of its size, not 0.
    scale = np.where(train.min(axis=0) == train.max(axis=0), 1.0, deviation)
    return [(part - mean) / scale for part in (train, *others)]
