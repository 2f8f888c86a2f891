r"""The way back through a recorded graph: an order in which to walk it, and one walk.

A node is reached when all that use it have been: then its gradient is complete, and is passed on
once. Along a way slopes are multiplied; where ways meet, gradients are added up.

Sources: Baydin and others, *Automatic Differentiation in Machine Learning: a Survey* (JMLR 18(153),
2018), section 3.2; Cormen, Leiserson, Rivest and Stein, *Introduction to Algorithms* (3rd edition,
2009), section 22.4, for the order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dlcourse.scratch.autograd import Tensor

Backward = Callable[[np.ndarray], tuple[np.ndarray, ...]]  # dy to a gradient for each parent


class CycleError(ValueError):
    """A graph has a cycle: some tensor would be made from itself, and no order exists."""


def topological_order(root: Tensor) -> list[Tensor]:
    """``root`` and all that it was made from, each after its parents; CycleError if there is none.

    Depth first, with a list for the way instead of recursion, which Python limits to a depth of
    about a thousand. Each tensor is entered once, so the work grows with the arrows, not the ways.
    """
    order: list[Tensor] = []
    done: dict[Tensor, bool] = {root: False}  # False while on the way from the root
    way = [(root, iter(root.parents))]
    while way:
        tensor, left = way[-1]
        for parent in left:
            if parent not in done:
                done[parent] = False
                way.append((parent, iter(parent.parents)))
                break
            if not done[parent]:
                raise CycleError(f"a result of {tensor.op or 'nothing'} is made from itself")
        else:
            done[tensor] = True
            order.append(tensor)
            way.pop()
    return order


def gradients(root: Tensor, dy: np.ndarray | None = None) -> dict[Tensor, np.ndarray]:
    r"""Gradient of :math:`\sum dy \odot root` for each tensor below ``root`` that needs one.

    ``dy`` may be left out for one number. Raises ValueError where nothing was recorded, for a
    ``dy`` that hasn't root's shape and type, and for values that aren't finite; CycleError.
    """
    if not root.requires_grad:
        raise ValueError("no gradient: nothing that it was made from requires one")
    if dy is None:
        if root._data.size != 1:
            raise ValueError(f"a root of shape {root.shape} is not one number: it needs a dy")
        dy = np.ones_like(root._data)
    if not np.isfinite(root._data).all():
        raise ValueError("the root has entries that are NaN or infinite, which have no gradient")
    dy = owned(dy)
    if dy.shape != root.shape or dy.dtype != root._data.dtype:
        raise ValueError(
            f"dy must be as the root, {root.shape} of {root._data.dtype}: it is {dy.shape} of "
            f"{dy.dtype}"
        )
    found = {root: dy}
    for tensor in reversed(topological_order(root)):
        if tensor._backward is None:
            continue
        back = tensor._backward(found[tensor])
        if not isinstance(back, tuple) or any(
            not isinstance(share, np.ndarray | np.generic) for share in back
        ):
            raise ValueError(f"the rule of {tensor.op} must return a tuple of arrays")
        for parent, share in zip(tensor.parents, back, strict=True):
            if share.shape != parent.shape:
                raise ValueError(f"{tensor.op} hands {share.shape} back to {parent.shape}")
            if parent.requires_grad:
                found[parent] = found[parent] + share if parent in found else share
    return found


def unbroadcast(dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``dy`` added up over the axes along which ``shape`` was stretched; ValueError if it wasn't.

    The way back of broadcasting: an entry that was used several times gets the sum of what comes
    back from all of its uses.
    """
    if not isinstance(dy, np.ndarray | np.generic) or not isinstance(shape, tuple):
        kinds = type(dy).__name__, type(shape).__name__
        raise ValueError(f"dy must be an array and shape a tuple, not {kinds[0]} and {kinds[1]}")
    new = dy.ndim - len(shape)
    if new < 0 or any(n != s and s != 1 for n, s in zip(dy.shape[new:], shape, strict=True)):
        raise ValueError(f"shape {shape} doesn't broadcast to that of dy, {dy.shape}")
    stretched = [new + i for i, s in enumerate(shape) if s == 1 and dy.shape[new + i] != 1]
    return dy.sum(axis=(*range(new), *stretched)).reshape(shape) if new or stretched else dy


def owned(data: np.ndarray | float) -> np.ndarray:
    """A read-only copy of ``data``, if a tensor can hold it."""
    if isinstance(data, int | float) and not isinstance(data, bool | np.generic):
        try:
            data = np.array(float(data))
        except OverflowError as error:
            raise ValueError("a whole number of this size doesn't fit float64") from error
    _check_array(data)
    if not np.isfinite(data).all():
        raise ValueError("a tensor can't be made of entries that are NaN or infinite")
    data = np.array(data)
    data.flags.writeable = False
    return data


def _check_array(data) -> None:
    if isinstance(data, np.ma.MaskedArray):
        raise ValueError("a masked array would lose its mask here: fill it first")
    if not isinstance(data, np.ndarray | np.generic):
        raise ValueError(f"tensors are made of arrays and numbers, not of a {type(data).__name__}")
    if data.dtype not in (np.float32, np.float64):
        raise ValueError(f"tensors are float32 or float64, and this is {data.dtype}: convert it")
