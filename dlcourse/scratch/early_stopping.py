"""Early stopping: end a training when the validation loss has stopped falling."""

import math

import numpy as np

from dlcourse.scratch.layers import Layer


class EarlyStopping:
    """Watches a validation loss, epoch by epoch, and keeps the parameters of the best one.

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

        If it is, and ``net`` is given, its parameters are copied. ValueError if ``value`` is no
        single number, or if the training should have ended already.
        """
        if np.ndim(value) or isinstance(value, str | bool | np.bool_) or value is None:
            raise ValueError(f"a loss is one number, not {value!r}")
        if self.stop:
            raise ValueError(f"stopped: {self._waited} epochs without improvement already")
        improved = bool(value < self.best) and math.isfinite(value)
        if improved:
            self.best, self.best_epoch, self._waited = float(value), self.epochs, 0
            if net is not None:
                self._kept = {name: param.copy() for name, param in net.params.items()}
        else:
            self._waited += 1
        self.epochs += 1
        return improved

    def restore(self, net: Layer) -> None:
        """Put the kept parameters back into ``net``; ValueError if none are kept, or don't fit."""
        if self._kept is None:
            raise ValueError("no parameters are kept: no epoch with a network has improved")
        found = {name: param.shape for name, param in net.params.items()}
        kept = {name: param.shape for name, param in self._kept.items()}
        if found != kept:
            raise ValueError(f"the kept parameters don't fit this network: {kept} and {found}")
        for name, param in net.params.items():
            param[...] = self._kept[name]
