"""Early stopping: end a training when the validation loss has stopped falling."""

import math

import numpy as np

from dlcourse.scratch.layers import Layer


class EarlyStopping:
    """Watches a validation loss, epoch by epoch, and keeps the network's state at the best one.

    ``patience`` is how many epochs in a row may pass without a new smallest loss: after the last of
    them ``stop`` is true. Only a loss that is strictly smaller counts, so of equal ones the first
    is kept. NaN and infinity are never a new smallest. Epochs count from 0; before any improvement
    ``best_epoch`` is None and ``best`` infinite. ValueError for a patience below 1.

    Source: Prechelt, *Early Stopping, But When?* (1998), section 2, whose criterion UP counts
    rises over strips of epochs; here those without a new smallest loss are counted.
    """

    def __init__(self, patience: int):
        whole = isinstance(patience, int | np.integer) and not isinstance(patience, bool)
        if not whole or patience < 1:
            raise ValueError(f"patience is a whole number of epochs, at least 1, not {patience!r}")
        self.patience = int(patience)
        self.best, self.best_epoch, self.epochs = math.inf, None, 0
        self._kept: dict[str, np.ndarray] | None = None
        self._waited = 0

    best_epoch: int | None

    @property
    def stop(self) -> bool:
        """Whether ``patience`` epochs in a row have brought no new smallest loss."""
        return self._waited >= self.patience

    def update(self, value: float, net: Layer | None = None) -> bool:
        """Note the loss of one more epoch; whether it is the smallest so far.

        If it is, and ``net`` is given, its parameters and buffers are copied; without one, none are
        kept any more. ValueError if ``value`` is no single number, if ``net`` is no layer, or if
        the training should have ended already.
        """
        number = isinstance(value, int | float | np.integer | np.floating)
        if not number or isinstance(value, bool):
            raise ValueError(f"a loss is one number, not {value!r}")
        if net is not None:
            _state(net)
        if self.stop:
            raise ValueError(f"stopped: {self._waited} epochs without improvement already")
        improved = bool(value < self.best) and math.isfinite(value)
        if improved:
            self.best, self.best_epoch, self._waited = float(value), self.epochs, 0
            kept = {} if net is None else _state(net)
            self._kept = {name: array.copy() for name, array in kept.items()} or None
        else:
            self._waited += 1
        self.epochs += 1
        return improved

    def restore(self, net: Layer) -> None:
        """Put the state of the best epoch back into ``net``; ValueError if none is kept or fits."""
        if self._kept is None:
            raise ValueError("nothing is kept: no network was given with the best epoch")
        state = _state(net)
        found, kept = ({name: a.shape for name, a in s.items()} for s in (state, self._kept))
        if found != kept:
            raise ValueError(f"what is kept doesn't fit this network: {kept} and {found}")
        for name, array in state.items():
            array[...] = self._kept[name]


def _state(net: Layer) -> dict[str, np.ndarray]:
    """All arrays that training changes."""
    if not isinstance(net, Layer):
        raise ValueError(f"net must be a layer, not a {type(net).__name__}")
    return {**net.params, **net.buffers}
