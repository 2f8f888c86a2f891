"""A GPT: a decoder-only transformer, pre-norm, that predicts each next token.

Sources: Radford et al., *Language Models are Unsupervised Multitask Learners* (2019), section 2.3,
for the architecture and the first values; Vaswani et al., *Attention Is All You Need* (NeurIPS
2017), section 3, for attention; Press and Wolf, *Using the Output Embedding to Improve Language
Models* (EACL 2017), for tied weights.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class GPTConfig:
    """What a GPT is built from. Raises ValueError where sizes contradict each other."""

    vocab_size: int  # different tokens
    context: int  # tokens it can look back over, itself included
    num_layers: int = 4
    num_heads: int = 4
    hidden_size: int = 128  # entries of a token's vector; a head has hidden_size / num_heads
    dropout: float = 0.0  # of embeddings, attention weights and each branch, while training
    bias: bool = True  # in affine maps and layer norms
    tie_weights: bool = True  # the embedding's matrix is also the one that gives the logits

    def __post_init__(self):
        sizes = ("vocab_size", "context", "num_layers", "num_heads", "hidden_size")
        for name in sizes:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"{self.num_heads} heads can't share {self.hidden_size} entries evenly: make "
                "hidden_size a multiple of num_heads"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is at least 0 and below 1, not {self.dropout}")


# Dimensions: B batch, T tokens, C hidden_size, H num_heads, D entries of a head (C / H)


class KVCache:
    """The keys and values of all layers for the tokens so far, of ``batch_size`` sequences.

    Space for ``config.context`` tokens is taken at once: 2 B C numbers for each token and layer.
    Give it to :class:`GPT` with the tokens that are new. Source: Shazeer, *Fast Transformer
    Decoding* (2019), section 2.4.
    """

    def __init__(self, config: GPTConfig, batch_size: int = 1, *, like: Tensor):
        shape = (
            batch_size,
            config.num_heads,
            config.context,
            config.hidden_size // config.num_heads,
        )
        self.layers = [
            (like.new_empty(shape), like.new_empty(shape)) for _ in range(config.num_layers)
        ]
        self.length = 0  # tokens so far

    def extended(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep ``k`` and ``v`` (B, H, T, D) behind those so far; all of them, (B, H, S, D).

        Raises ValueError for another number of sequences.
        """
        end = self.length + k.shape[2]
        keys, values = self.layers[layer]
        if len(k) != len(keys):  # else one sequence would be kept as many
            raise ValueError(f"the cache is for {len(keys)} sequences, not for {len(k)}")
        keys[:, :, self.length : end], values[:, :, self.length : end] = k, v
        return keys[:, :, :end], values[:, :, :end]


class CausalSelfAttention(nn.Module):
    r"""Every token looks at itself and the tokens before it, with H heads.

    For each head :math:`\mathrm{softmax}(Q K^\top / \sqrt{D} + M)\,V`, where M is 0 up to the
    token's own place and :math:`-\infty` after it. ``x`` and the result are (B, T, C). With a
    ``cache`` the tokens come behind those in it, as number ``layer`` of its layers.
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.num_heads, self.dropout = config.num_heads, config.dropout
        self.in_proj = nn.Linear(config.hidden_size, 3 * config.hidden_size, config.bias)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size, config.bias)

    def forward(self, x: Tensor, cache: KVCache | None = None, layer: int = 0) -> Tensor:
        heads = self.in_proj(x).unflatten(-1, (3, self.num_heads, -1))  # (B, T, 3, H, D)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # (B, H, T, D) each
        dropout = self.dropout if self.training else 0.0
        if cache is None or cache.length == 0:
            if cache is not None:
                cache.extended(layer, k, v)
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        else:
            k, v = cache.extended(layer, k, v)  # (B, H, S, D)
            mask = x.new_ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(cache.length)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return self.out_proj(y.transpose(1, 2).flatten(2))  # (B, T, C)


class Block(nn.Module):
    r"""Attention, then a perceptron on each token, each beside a way straight through.

    :math:`x \leftarrow x + \mathrm{attention}(\mathrm{norm}_1(x))`, then :math:`x \leftarrow x +
    \mathrm{mlp}(\mathrm{norm}_2(x))`, with 4 C hidden units and GELU in the perceptron.
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        size = config.hidden_size
        self.norm1 = nn.LayerNorm(size, bias=config.bias)
        self.attention = CausalSelfAttention(config)
        self.norm2 = nn.LayerNorm(size, bias=config.bias)
        self.linear1 = nn.Linear(size, 4 * size, config.bias)
        self.linear2 = nn.Linear(4 * size, size, config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: KVCache | None = None, layer: int = 0) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x), cache, layer))
        hidden = F.gelu(self.linear1(self.norm2(x)))  # (B, T, 4C)
        return x + self.dropout(self.linear2(hidden))  # (B, T, C)


class GPT(nn.Module):
    r"""Maps tokens (B, T), integers below vocab_size, to logits (B, T, vocab_size).

    Logits at place t depend on tokens up to t only, and say which token comes at t + 1. Weights
    start normal with deviation 0.02, those that end a branch with :math:`0.02 / \sqrt{2 L}` for L
    layers, biases at 0. With a ``cache`` the tokens are those that come behind the ones in it,
    and the logits theirs; the cache then has them too. Raises ValueError for more tokens than
    ``context``.
    """

    positions: Tensor

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.context, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.hidden_size, bias=config.bias)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_weights:
            self.head.weight = self.token_embedding.weight
        self.register_buffer("positions", torch.arange(config.context), persistent=False)
        self._initialize()

    def _initialize(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif "norm" not in name:  # layer norms start at 1
                ends_branch = name.endswith(("out_proj.weight", "linear2.weight"))
                shrink = math.sqrt(2 * self.config.num_layers) if ends_branch else 1.0
                nn.init.normal_(parameter, std=0.02 / shrink)

    def forward(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        before = cache.length if cache else 0
        if tokens.ndim != 2 or before + tokens.shape[1] > self.config.context:
            behind = f" behind {before} in the cache" if before else ""
            raise ValueError(
                f"tokens are (B, T) with T up to {self.config.context}, not "
                f"{tuple(tokens.shape)}{behind}"
            )
        places = self.positions[before : before + tokens.shape[1]]
        positions = self.position_embedding(places)  # (T, C)
        x = self.dropout(self.token_embedding(tokens) + positions)  # (B, T, C)
        for layer, block in enumerate(self.blocks):
            x = block(x, cache, layer)
        if cache:
            cache.length += tokens.shape[1]
        return self.head(self.norm(x))  # (B, T, vocab_size)

    @torch.no_grad()
    def generate(
        self,
        tokens: Tensor,
        count: int,
        *,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Append ``count`` sampled tokens to ``tokens`` (B, T): (B, T + count).

        While they fit the context, keys and values are kept; from then on the last ``context``
        tokens are read anew for each, since all their places have changed. Logits are divided by
        ``temperature`` first; at 0 the likeliest token is taken. Call ``eval()`` before, or dropout
        stays on. Raises ValueError for no token to start from or a negative temperature.
        """
        if tokens.ndim != 2 or tokens.shape[1] < 1:
            raise ValueError(f"there must be a token to start from: {tuple(tokens.shape)}")
        if not temperature >= 0:
            raise ValueError(f"temperature is at least 0, not {temperature}")
        cache = KVCache(self.config, len(tokens), like=self.head.weight)
        for _ in range(count):
            if tokens.shape[1] <= self.config.context:
                logits = self(tokens[:, cache.length :], cache)[:, -1]  # (B, vocab_size)
            else:
                logits = self(tokens[:, -self.config.context :])[:, -1]
            if temperature == 0:
                following = logits.argmax(-1, keepdim=True)  # (B, 1)
            else:
                probabilities = torch.softmax(logits / temperature, -1)
                following = torch.multinomial(probabilities, 1, generator=generator)
            tokens = torch.cat([tokens, following], 1)
        return tokens
