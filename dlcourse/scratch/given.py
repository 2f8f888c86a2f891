"""What layers, losses and optimisers are given: arrays, floats, shapes and numbers.

Each function hands back what it was given, or raises a ValueError that says what is wrong with it.
"""

import math
from typing import TypeVar

import numpy as np

Cache = TypeVar("Cache")


def array(name: str, x: np.ndarray, *, scalars: bool = False) -> np.ndarray:
    """An array; with ``scalars`` NumPy's numbers too, which can't be changed in place."""
    if not isinstance(x, (np.ndarray | np.generic) if scalars else np.ndarray):
        raise ValueError(f"{name} must be an array, not a {type(x).__name__}")
    return x


def floats(x: np.ndarray) -> np.ndarray:
    """What layers calculate with: bytes and integers would wrap around or lose their fractions."""
    if not isinstance(x, np.ndarray | np.generic):
        raise ValueError(f"layers calculate with arrays, not with a {type(x).__name__}")
    if x.dtype.kind != "f":
        raise ValueError(f"layers calculate with floats, and this is {x.dtype}: convert it first")
    return x


def float_type(dtype) -> np.dtype:
    """A type for parameters: as integers, small weights would all be 0."""
    if np.dtype(dtype).kind != "f":
        raise ValueError(f"parameters are floats, not {np.dtype(dtype)}")
    return np.dtype(dtype)


def seen(cached: Cache | None) -> Cache:
    """What a forward has left for its backward."""
    if cached is None:
        raise ValueError("backward needs a forward before it")
    return cached


def fits(dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A gradient of the output's shape; broadcasting would hide that it has another."""
    if floats(dy).shape != shape:
        raise ValueError(f"dy has not the shape of the output: {dy.shape} and {shape}")
    return dy


def at_least_zero(name: str, value: float) -> float:
    """A finite number that isn't negative."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number of at least 0, not {value}")
    return value
