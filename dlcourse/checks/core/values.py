"""Plain values: what an answer is made of once nothing of the learner's own can speak for it.

Numbers and arrays become exact ``numpy.ndarray`` (a number has no axes), lists and tuples become
lists; strings, booleans, ``None`` and dicts stay. A torch tensor becomes a :class:`Tensor`: its
array, and whether it asks for a gradient. Everything else is :class:`Refused`, whatever it claims
about itself: an object whose ``__eq__`` always says yes never gets to say it.

torch is never imported here: where nobody has, no value is a tensor.
"""

import copy
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDING_FLOOR = 1e-3  # below this size of a right answer, differences are judged as absolute
NUMBERS = "iuf"  # the kinds of dtype that count as real numbers


@dataclass(frozen=True)
class Refused:
    """A value that can't be judged, and what it is, in words."""

    what: str


@dataclass(frozen=True, eq=False)
class Tensor:
    """A torch tensor: an array isn't one, and whether it hangs on a graph is told apart.

    Where that doesn't matter, ``observe`` detaches. How the tensor lies in memory is left out.
    """

    array: np.ndarray
    requires_grad: bool = False


def plain(value: Any) -> Any:
    """``value`` as plain data, copied; what can't be is :class:`Refused`."""
    kind = type(value)
    if value is None or kind in (str, bool):
        return value
    if kind in (np.bool_, np.str_):
        return value.item()
    if kind in (int, float, complex):
        try:
            return np.array(value, dtype={int: np.int64}.get(kind))  # type: ignore[call-overload]
        except OverflowError:
            return Refused("an integer of more than 64 bits")
    if isinstance(value, np.generic) and kind.__module__ == "numpy":
        return (
            np.array(value)
            if value.dtype.kind in NUMBERS + "bc"
            else Refused(f"a numpy.{kind.__name__}")
        )
    if kind is np.ndarray:
        if value.dtype.kind not in NUMBERS + "bcUS":
            return Refused(f"an array of dtype {value.dtype}")
        return bool(value) if value.dtype.kind == "b" and value.ndim == 0 else np.array(value)
    if kind in (list, tuple):
        return [plain(v) for v in value]
    if kind is dict:
        odd = [k for k in value if type(k) not in (str, int)]
        return Refused("a dict with odd keys") if odd else {k: plain(v) for k, v in value.items()}
    torch = sys.modules.get("torch")
    if torch is not None and kind is torch.Size:  # a tuple's subclass, and what `.shape` returns
        return [plain(v) for v in value]
    if torch is not None and kind in (torch.Tensor, torch.nn.Parameter):
        return _tensor(torch, value)
    return Refused(f"a {kind.__module__}.{kind.__qualname__}".replace("builtins.", ""))


def _tensor(torch: Any, value: Any) -> Any:
    """Of a tensor on another device, or of a type that NumPy doesn't know, only what it is."""
    if value.device.type != "cpu":
        return Refused(f"a tensor on the device {value.device}")
    if value.layout != torch.strided or value.is_quantized or value.dtype == torch.bfloat16:
        return Refused(f"a tensor of layout {value.layout} and dtype {value.dtype}")
    array = value.detach().resolve_conj().resolve_neg().numpy()
    return Tensor(np.array(array), value.requires_grad)


def identical(a: Any, b: Any) -> bool:
    """Whether two plain values agree in everything, NaN with NaN."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
        )
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.requires_grad == b.requires_grad and identical(a.array, b.array)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(identical(a[k], b[k]) for k in a)
    return type(a) is type(b) and bool(a == b)


def fresh(args: tuple) -> tuple:
    """Copies of a case's arguments, so that no answer can change them for the next one."""
    return copy.deepcopy(args)


def describe(value: Any) -> str:
    """What a plain value is, in a few words: ``an array of shape (3, 2)``, ``a number``."""
    if isinstance(value, Refused):
        return value.what
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.array.shape)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" if value.ndim else "a number"
    if isinstance(value, list):
        return f"a list or tuple of {len(value)}"
    names = {str: "a string", bool: "True or False", dict: "a dict", type(None): "None"}
    return names[type(value)]


def difference(got: Any, want: Any, tolerance: float, reveal: bool = True) -> str | None:
    """What is wrong with ``got`` where ``want`` is right, as the end of a sentence, or None.

    Type, then shape, then dtype, then values: within ``tolerance`` of the largest entry of
    ``want``, and NaN or infinity exactly where ``want`` has them. Numbers without axes may be of
    any real type but boolean and single precision. ``reveal`` shows the right values.
    """
    if isinstance(want, np.ndarray):
        return _array_difference(got, want, tolerance, reveal)
    if isinstance(want, Tensor):
        return _tensor_difference(got, want, tolerance, reveal)
    if type(got) is not type(want):
        return f"is {describe(got)}; it should be {describe(want)}"
    if isinstance(want, list):
        if len(got) != len(want):
            return f"has {len(got)} entries; it should have {len(want)}"
        pairs: Any = enumerate(zip(got, want, strict=True))
    elif isinstance(want, dict):
        if got.keys() != want.keys():
            return f"has the keys {sorted(map(str, got))}; they should be {sorted(map(str, want))}"
        pairs = ((k, (got[k], want[k])) for k in want)
    else:
        right = f"; right is {want!r}" if reveal else ""
        return None if got == want else f"is {got!r}{right}"
    for place, (g, w) in pairs:
        if wrong := difference(g, w, tolerance, reveal):
            return f"at [{place!r}] {wrong}"
    return None


def _tensor_difference(got: Any, want: Tensor, tolerance: float, reveal: bool) -> str | None:
    if not isinstance(got, Tensor):
        return f"is {describe(got)}; it should be {describe(want)}"
    given, right = got.array, want.array
    if given.shape == right.shape and given.dtype != right.dtype:  # exact: torch converts nothing
        return f"has dtype torch.{given.dtype}; it should be torch.{right.dtype}"
    if given.shape != right.shape:
        return f"has shape {given.shape}; it should be {right.shape}"
    if wrong := _array_difference(given, right, tolerance, reveal):
        return wrong
    if got.requires_grad and not want.requires_grad:
        return "has the right numbers, but hangs on a graph: it requires a gradient"
    if want.requires_grad and not got.requires_grad:
        return "has the right numbers, but is cut off from the graph: it requires no gradient"
    return None


def _array_difference(got: Any, want: np.ndarray, tolerance: float, reveal: bool) -> str | None:
    if not isinstance(got, np.ndarray) or (got.ndim == 0) != (want.ndim == 0):
        return f"is {describe(got)}; it should be {describe(want)}"
    if got.shape != want.shape:
        return f"has shape {got.shape}; it should be {want.shape}"
    if not _dtype_fits(got, want):
        return f"has dtype {got.dtype}; it should be {want.dtype}"
    if want.dtype.kind not in NUMBERS + "c":
        bad = got != want
    else:
        bad = _far(got, want, tolerance)
    if not bad.any():
        return None
    gap = _gaps(got, want) if want.dtype.kind in NUMBERS + "c" else bad.astype(float)
    where = np.unravel_index(np.argmax(np.where(bad, gap, -1)), bad.shape)
    yours, right = got[where], want[where]
    values = f"yours is {yours!s}" + (f", right is {right!s}" if reveal else "")
    if got.ndim == 0:
        return f"differs: {values}"
    place = "[" + ", ".join(map(str, where)) + "]"
    many = f"{int(bad.sum())} of {bad.size} entries differ"
    by = f" by {gap[where]:.3g}" if np.isfinite(gap[where]) and want.dtype.kind in NUMBERS else ""
    return f"has the right shape {got.shape}, but {many}, the most at {place}{by}: {values}"


def _dtype_fits(got: np.ndarray, want: np.ndarray) -> bool:
    """Exact for floats; any width of integer for an integer; any double or int for a number."""
    if want.ndim == 0 and want.dtype.kind in NUMBERS:
        return got.dtype.kind in "iu" or got.dtype == np.float64 or got.dtype == want.dtype
    if want.dtype.kind in "iu":
        return got.dtype.kind in "iu"
    return got.dtype.kind == want.dtype.kind and (
        want.dtype.kind in "US" or got.dtype == want.dtype
    )


def _far(got: np.ndarray, want: np.ndarray, tolerance: float) -> np.ndarray:
    finite = np.abs(want[np.isfinite(want)])
    size = max(float(finite.max(initial=0.0)), ROUNDING_FLOOR)
    return ~np.isclose(got, want, rtol=0, atol=tolerance * size, equal_nan=True)


def _gaps(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.abs(got.astype(complex) - want), nan=np.inf, posinf=np.inf)


def alike(a: Any, b: Any, rounding: float = 1e-4) -> bool:
    """Whether two plain values are the same but for rounding and precision; NaN is like NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return alike(a.array, b.array, rounding)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.shape != b.shape or (a.dtype.kind == "b") != (b.dtype.kind == "b"):
            return False
        if not (a.dtype.kind in NUMBERS + "bc" and b.dtype.kind in NUMBERS + "bc"):
            return bool(np.array_equal(a, b))
        return bool(np.allclose(a, b, rtol=rounding, atol=rounding / 100, equal_nan=True))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(x, y, rounding) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k], rounding) for k in a)
    return type(a) is type(b) and bool(a == b)
