"""Real data sets as NumPy arrays, each with where it comes from. One file a data set."""

from .fashion_mnist import full_fashion_mnist
from .mnist import full_mnist, load_mnist5k
from .penguins import load_penguins
from .provenance import DataError, Provenance
from .splits import split, standardise

__all__ = [
    "DataError",
    "Provenance",
    "full_fashion_mnist",
    "full_mnist",
    "load_mnist5k",
    "load_penguins",
    "split",
    "standardise",
]
