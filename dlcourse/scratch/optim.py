r"""Optimisers: what is done with a gradient. Names, defaults and conventions as in torch.optim.

An optimiser holds the arrays of a network, ``params`` and ``grads`` (two dicts with equal keys,
such as those of :class:`dlcourse.scratch.layers.Sequential`), and ``step()`` changes the parameters
in place. ``lr`` may be set anew before any step: that is what a schedule does. Setting the
gradients to zero is the caller's. Below, :math:`w` is a parameter, :math:`g` its gradient,
:math:`\eta` the learning rate, and all operations go entry by entry. NaN in is NaN out.

``weight_decay`` :math:`\lambda` adds :math:`\lambda w` to the gradient, so it is L2 regularisation,
in all but :class:`AdamW`.
"""

import math

import numpy as np

from dlcourse.scratch.given import array, at_least_zero

Arrays = dict[str, np.ndarray]


class Optimizer:
    """What all share: the arrays, the learning rate, and ``step``."""

    def __init__(self, params: Arrays, grads: Arrays, *, lr: float, weight_decay: float = 0.0):
        if not params:
            raise ValueError("no parameters: there is nothing to optimise")
        if params.keys() != grads.keys():
            raise ValueError(f"params and grads differ: {[*params]} and {[*grads]}")
        for name, param in params.items():
            array(name, param)
            if param.dtype.kind != "f":
                raise ValueError(f"{name} must be floats to take small steps, not {param.dtype}")
        self.params, self.grads = params, grads
        self.lr = at_least_zero("lr", lr)
        self.weight_decay = at_least_zero("weight_decay", weight_decay)
        self.steps = 0

    def step(self) -> None:
        """Change every parameter once, by its gradient as it stands."""
        at_least_zero("lr", self.lr)
        for name, param in self.params.items():
            if name not in self.grads:
                raise ValueError(f"{name} has lost its gradient: there are only {[*self.grads]}")
            array(f"the gradient of {name}", self.grads[name])
            if self.grads[name].shape != param.shape:
                raise ValueError(
                    f"{name} and its gradient differ in shape: "
                    f"{param.shape} and {self.grads[name].shape}"
                )
        self.steps += 1
        for name, param in self.params.items():
            self._update(name, param, self.grads[name])

    def _update(self, name: str, param: np.ndarray, grad: np.ndarray) -> None:
        raise NotImplementedError

    def _zeros(self) -> Arrays:
        return {name: np.zeros_like(param) for name, param in self.params.items()}

    def _with_decay(self, param: np.ndarray, grad: np.ndarray) -> np.ndarray:
        return grad + self.weight_decay * param if self.weight_decay else grad


class SGD(Optimizer):
    r"""Gradient descent, with momentum :math:`\mu` and Nesterov's look ahead if asked for.

    :math:`v \leftarrow \mu v + g` from :math:`v = 0`, then :math:`w \leftarrow w - \eta v`. The
    learning rate stands outside the sum: that is torch's convention, not Polyak's. With
    ``nesterov`` the step is :math:`w \leftarrow w - \eta (g + \mu v)`, with the new v.

    Sources: Polyak, *Some methods of speeding up the convergence of iteration methods* (1964);
    Sutskever et al., *On the importance of initialization and momentum in deep learning* (ICML
    2013), section 2, for both forms.
    """

    def __init__(
        self,
        params: Arrays,
        grads: Arrays,
        *,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ):
        super().__init__(params, grads, lr=lr, weight_decay=weight_decay)
        self.momentum = _below_one("momentum", momentum)
        if nesterov and not momentum:
            raise ValueError("nesterov looks ahead along the momentum, and momentum is 0")
        self.nesterov = nesterov
        self._velocity = self._zeros() if momentum else {}

    def _update(self, name: str, param: np.ndarray, grad: np.ndarray) -> None:
        grad = self._with_decay(param, grad)
        if not self.momentum:
            param -= self.lr * grad
            return
        velocity = self._velocity.setdefault(name, np.zeros_like(param))
        velocity *= self.momentum
        velocity += grad
        param -= self.lr * (grad + self.momentum * velocity if self.nesterov else velocity)


class RMSProp(Optimizer):
    r"""Each entry's step is divided by the recent size of its gradient.

    :math:`s \leftarrow \alpha s + (1 - \alpha) g^2` from :math:`s = 0`, then :math:`w \leftarrow w
    - \eta g / (\sqrt{s} + \epsilon)`. ``alpha`` is :math:`\alpha`; ``eps`` stands outside the root.

    Source: Tieleman and Hinton, *Lecture 6.5: RMSProp* (Coursera, 2012).
    """

    def __init__(
        self,
        params: Arrays,
        grads: Arrays,
        *,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(params, grads, lr=lr, weight_decay=weight_decay)
        self.alpha = _below_one("alpha", alpha)
        self.eps = at_least_zero("eps", eps)
        self._square = self._zeros()

    def _update(self, name: str, param: np.ndarray, grad: np.ndarray) -> None:
        grad = self._with_decay(param, grad)
        square = self._square[name]
        square *= self.alpha
        square += (1 - self.alpha) * grad**2
        param -= self.lr * grad / (np.sqrt(square) + self.eps)


class Adam(Optimizer):
    r"""Momentum of the gradient, divided by the recent size of the gradient, both unbiased.

    :math:`m \leftarrow \beta_1 m + (1 - \beta_1) g` and :math:`s \leftarrow \beta_2 s + (1 -
    \beta_2) g^2` from zero; at step t, from 1, :math:`\hat m = m / (1 - \beta_1^t)`, :math:`\hat s
    = s / (1 - \beta_2^t)` and :math:`w \leftarrow w - \eta \hat m / (\sqrt{\hat s} + \epsilon)`.

    Source: Kingma and Ba, *Adam: A Method for Stochastic Optimization* (ICLR 2015), Algorithm 1.
    """

    def __init__(
        self,
        params: Arrays,
        grads: Arrays,
        *,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(params, grads, lr=lr, weight_decay=weight_decay)
        if len(betas) != 2:
            raise ValueError(f"betas are two numbers, not {betas}")
        self.betas = _below_one("betas[0]", betas[0]), _below_one("betas[1]", betas[1])
        self.eps = at_least_zero("eps", eps)
        self._mean, self._square = self._zeros(), self._zeros()

    def _update(self, name: str, param: np.ndarray, grad: np.ndarray) -> None:
        grad = self._with_decay(param, grad)
        mean, square, (beta1, beta2) = self._mean[name], self._square[name], self.betas
        mean *= beta1
        mean += (1 - beta1) * grad
        square *= beta2
        square += (1 - beta2) * grad**2
        unbiased_mean = mean / (1 - beta1**self.steps)
        unbiased_square = square / (1 - beta2**self.steps)
        param -= self.lr * unbiased_mean / (np.sqrt(unbiased_square) + self.eps)


class AdamW(Adam):
    r"""Adam whose weight decay is a step of its own: it doesn't pass through the division.

    First :math:`w \leftarrow (1 - \eta \lambda) w`, then Adam's step by the gradient alone.

    Source: Loshchilov and Hutter, *Decoupled Weight Decay Regularization* (ICLR 2019), Algorithm 2;
    :math:`\eta \lambda` is torch's convention, theirs is a schedule's factor times :math:`\lambda`.
    """

    def __init__(
        self,
        params: Arrays,
        grads: Arrays,
        *,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        super().__init__(params, grads, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def _update(self, name: str, param: np.ndarray, grad: np.ndarray) -> None:
        param *= 1 - self.lr * self.weight_decay
        super()._update(name, param, grad)

    def _with_decay(self, param: np.ndarray, grad: np.ndarray) -> np.ndarray:
        return grad


def clip_grad_norm(grads: Arrays, max_norm: float) -> float:
    r"""Shrink all gradients by one factor, in place, if together they are longer than ``max_norm``.

    With :math:`\|g\|` the root of the sum of squares over *all* arrays, the factor is
    :math:`\min(1, c / (\|g\| + 10^{-6}))`: the direction stays. Returns :math:`\|g\|` as it was.
    Raises ValueError, and changes nothing, if that isn't finite: no factor mends NaN or infinity.

    Source: Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural networks*
    (ICML 2013), section 3.2, Algorithm 1; the :math:`10^{-6}` is torch's.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be positive, not {max_norm}")
    if not grads:
        raise ValueError("no gradients to clip")
    for name, grad in grads.items():
        array(f"the gradient of {name}", grad)
        if grad.dtype.kind != "f":
            raise ValueError(f"the gradient of {name} must be floats, not {grad.dtype}")
    largest = max(float(np.abs(grad).max(initial=0)) for grad in grads.values())
    if not all(np.isfinite(grad).all() for grad in grads.values()):
        raise ValueError("a gradient is NaN or infinite: clipping can't mend it")
    if not largest:
        return 0.0
    # divided by the largest entry before squaring, so that no square overflows
    squares = sum(float(np.sum((g / largest).astype(np.float64) ** 2)) for g in grads.values())
    norm = largest * math.sqrt(squares)
    if not math.isfinite(norm):
        raise ValueError(f"the gradients are too long to be measured, the largest entry {largest}")
    factor = min(1.0, max_norm / (norm + 1e-6))
    for grad in grads.values():
        grad *= factor
    return norm


def _below_one(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, not {value}")
    return value
