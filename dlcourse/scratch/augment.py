"""Shifted images: new examples from old ones, where the label doesn't depend on the place."""

import numpy as np

from dlcourse.scratch.given import array


def shift(images: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Each of ``images`` (N, H, W) moved by its row of ``offsets`` (N, 2): down, then right.

    Negative offsets move up and left. What is pushed over the edge is lost, and 0 comes in from the
    other side, never the pixels that were lost: a whole-numbered move by H or more leaves an image
    of zeros. Returns a new array of the same type; ValueError for other shapes, and for offsets
    that aren't whole numbers.
    """
    array("images", images), array("offsets", offsets)
    if images.ndim != 3 or offsets.shape != (len(images), 2):
        raise ValueError(f"images (N, H, W) and offsets (N, 2): {images.shape}, {offsets.shape}")
    if offsets.dtype.kind not in "iu":
        raise ValueError(f"offsets are whole numbers of pixels, not {offsets.dtype}")
    if offsets.dtype == np.uint64:  # as int64 large ones would wrap around
        offsets = np.minimum(offsets, np.uint64(2**62))
    _, height, width = images.shape
    moved = np.zeros_like(images)
    # where each pixel of the result comes from; what comes from outside stays 0
    rows = np.arange(height) - offsets[:, :1].astype(np.int64)  # (N, H)
    columns = np.arange(width) - offsets[:, 1:].astype(np.int64)  # (N, W)
    inside = ((rows >= 0) & (rows < height))[:, :, None]
    inside = inside & ((columns >= 0) & (columns < width))[:, None, :]  # (N, H, W)
    n, i, j = np.nonzero(inside)
    moved[n, i, j] = images[n, rows[n, i], columns[n, j]]
    return moved


def random_shift(images: np.ndarray, most: int, *, rng: np.random.Generator) -> np.ndarray:
    """:func:`shift` by whole numbers from -``most`` to ``most``, drawn for each image and axis.

    ValueError if ``most`` is no whole number of at least 0.
    """
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or most < 0:
        raise ValueError(f"most must be a whole number of pixels, at least 0, not {most!r}")
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy Generator, not a {type(rng).__name__}")
    if array("images", images).ndim != 3:
        raise ValueError(f"images must be (N, H, W), not {images.shape}")
    return shift(images, rng.integers(-most, most + 1, size=(len(images), 2)))
