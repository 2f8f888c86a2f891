"""What a person can say about a handwritten digit: measurements, and rules made of them."""

import numpy as np

INK = 100  # from this value on, of 0 to 255, a pixel counts as ink
MEASURED = (
    "holes",
    "width over height",
    "share of ink in the upper half",
    "share in the left half",
    "share in the upper left quarter",
    "share in the lower left quarter",
    "width of the topmost fifth",
    "width of the lowest fifth",
)


def _image(image: np.ndarray, ink: int) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 2 or image.dtype != np.uint8:
        raise ValueError(f"an image is (height, width) of bytes, not {image.shape} {image.dtype}")
    if not 1 <= ink <= 255:
        raise ValueError(f"ink must be from 1 to 255, not {ink}")
    return image


def _box(image: np.ndarray, ink: int) -> tuple[slice, slice] | None:
    """Rows and columns that hold all the ink; None for an empty image."""
    dark = image >= ink
    if not dark.any():
        return None
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    return np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def measure(image: np.ndarray, ink: int = INK) -> np.ndarray:
    """Eight hand-made features (8,) of one digit (28, 28), as ``MEASURED`` names them.

    Raises ValueError unless ``image`` is bytes (uint8) in two axes and ``ink`` from 1 to 255.
    """
    from scipy.ndimage import label

    image = _image(image, ink)
    box = _box(image, ink)
    if box is None:
        return np.zeros(len(MEASURED))
    dark, grey = image[box] >= ink, image[box] / 255
    high, wide = dark.shape
    paper = np.pad(~dark, 1, constant_values=True)
    regions, _ = label(paper)  # region 1 is what surrounds the digit
    holes = np.sum(np.bincount(regions[regions > 1]) >= 3)  # smaller ones are chance
    half, middle, fifth = max(high // 2, 1), max(wide // 2, 1), max(high // 5, 1)
    shares = [
        part.sum() / grey.sum()
        for part in (grey[:half], grey[:, :middle], grey[:half, :middle], grey[half:, :middle])
    ]
    spans = [end.any(axis=0).sum() / wide for end in (dark[:fifth], dark[-fifth:])]
    return np.array([holes, wide / high, *shares, *spans])


def rules(holes, slim, upper, left, upper_left, lower_left, top, bottom) -> int:
    """A digit from eight measurements, by rules that a person wrote, training images at hand."""
    if not np.isfinite((holes, slim, upper, left, upper_left, lower_left, top, bottom)).all():
        raise ValueError("some measurements are NaN or infinite: no rule says what they are")
    if holes >= 2:
        return 8
    if holes == 1:
        if upper > 0.57:
            return 9
        if upper < 0.38:
            return 6 if bottom < 0.97 and top < 0.5 else 2
        return 4 if bottom < 0.35 and top < 0.5 else 0
    if slim < 0.5 or upper_left + lower_left > 0.97:
        return 1
    if bottom < 0.4:
        return 7 if top > 0.65 or upper > 0.6 else 4
    if lower_left > 0.27:
        return 6 if top < 0.4 else 2
    return 5 if upper_left > 0.19 else 3


def zones(image: np.ndarray) -> np.ndarray:
    """Ink (16,) in a grid of 4 by 4 laid over the box round the digit, from 0 to 1."""
    image = _image(image, INK)
    at = _box(image, INK)
    if at is None:
        return np.zeros(16)
    box = image[at] / 255
    down, across = (np.linspace(0, n, 5).astype(int) for n in box.shape)
    cells = [
        box[a : max(b, a + 1), c : max(d, c + 1)].mean()
        for a, b in zip(down, down[1:], strict=False)
        for c, d in zip(across, across[1:], strict=False)
    ]
    return np.array(cells)
