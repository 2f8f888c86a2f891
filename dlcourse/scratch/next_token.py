r"""The loss of a causal language model, and what it is in perplexity and in bits per character.

Tokens are (N, T), and the logits at place t, (N, T, V), speak of the token at place t + 1: the last
place has no target, and neither has one before padding. A loss in nats per token says nothing
across vocabularies, for long tokens are few and hard: bits per character can be compared.

Sources: Bengio and others, *A Neural Probabilistic Language Model* (2003), section 2; Radford and
others, *Language Models are Unsupervised Multitask Learners* (2019), section 3.1, for comparing by
the character.
"""

import math

import numpy as np

from dlcourse.scratch.given import array, seen
from dlcourse.scratch.losses import CrossEntropyLoss


class NextTokenLoss:
    r"""Mean cross-entropy of each token given those before it, in nats.

    .. math:: L = -\frac{1}{M} \sum_{(n, t):\; x_{n,t+1} \ne \text{padding}}
              \log \mathrm{softmax}(z_{n,t})_{x_{n,t+1}}

    over the M real targets. The first token of a row is no target. ``targets`` is the M of the last
    forward: ``targets * loss`` are the nats of the whole text. ``padding`` is the number of the
    padding token, or None where there is none; it may lie outside of the vocabulary, such as -1.
    """

    targets: int = 0
    _cache: tuple[tuple[int, ...], np.ndarray, CrossEntropyLoss] | None = None

    def __init__(self, padding: int | None = None):
        self.padding = padding

    def forward(self, logits: np.ndarray, tokens: np.ndarray) -> float:
        """Loss of ``logits`` (N, T, V) on whole numbers ``tokens`` (N, T).

        ValueError where shapes or types don't fit, for a token outside of the vocabulary, and where
        there is no target at all: a mean over nothing is not a number.
        """
        array("logits", logits)
        array("tokens", tokens)
        if logits.ndim != 3 or logits.shape[:2] != tokens.shape:
            raise ValueError(
                f"logits (N, T, V) and tokens (N, T) don't fit: {logits.shape} and {tokens.shape}"
            )
        real = np.zeros(tokens.shape, bool)  # the places whose next token is one
        real[:, :-1] = True if self.padding is None else tokens[:, 1:] != self.padding
        self.targets = int(real.sum())
        if not self.targets:
            raise ValueError(f"no target among tokens {tokens.shape}: their mean is not a number")
        inner = CrossEntropyLoss()
        loss = inner.forward(logits[real], tokens[:, 1:][real[:, :-1]])
        self._cache = logits.shape, real, inner
        return loss

    def backward(self) -> np.ndarray:
        r"""Gradient with respect to ``logits``, in their shape and type.

        :math:`(\mathrm{softmax}(z_{n,t}) - e_{x_{n,t+1}}) / M` where there is a target, else 0.
        """
        shape, real, inner = seen(self._cache)
        at_targets = inner.backward()
        gradient = np.zeros(shape, at_targets.dtype)
        gradient[real] = at_targets
        return gradient


def perplexity(nats: float, tokens: int) -> float:
    r""":math:`e^{\text{nats} / \text{tokens}}`, for the ``nats`` of a text of so many targets.

    As uncertain as a fair choice among so many tokens. ValueError as in
    :func:`bits_per_character`.
    """
    return math.exp(_share("tokens", nats, tokens))


def bits_per_character(nats: float, characters: int) -> float:
    r""":math:`\text{nats} / (\text{characters} \cdot \ln 2)`, for the ``nats`` of a whole text.

    ``characters`` are those that the targets stand for, however many tokens they were. ValueError
    for negative or infinite ``nats`` and for a count below 1.
    """
    return _share("characters", nats, characters) / math.log(2)


def _share(name: str, nats: float, count: int) -> float:
    if not (math.isfinite(nats) and nats >= 0):
        raise ValueError(f"nats must be finite and at least 0, not {nats}")
    if count < 1:
        raise ValueError(f"there must be at least one of {name}, not {count}")
    return nats / count
