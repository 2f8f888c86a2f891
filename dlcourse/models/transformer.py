"""A transformer of encoder and decoder, pre-norm: one sequence in, another one out.

Sources: Vaswani et al., *Attention Is All You Need* (NeurIPS 2017), section 3, for the parts; Xiong
et al., *On Layer Normalization in the Transformer Architecture* (ICML 2020), section 3, for norms
that stand before each part and once more at the end. Names of parameters are those of
``torch.nn.Transformer``, so that either can load the other's.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class TransformerConfig:
    """What a transformer is built from. Raises ValueError where sizes contradict each other."""

    source_size: int  # different tokens that come in
    target_size: int  # different tokens that go out
    max_length: int  # of either sequence, in tokens
    hidden_size: int = 64  # entries of a token's vector; a head has hidden_size / num_heads
    num_heads: int = 4
    num_layers: int = 2  # of the encoder, and as many of the decoder
    feedforward_size: int = 128  # hidden units of the perceptron in each layer
    dropout: float = 0.0  # of embeddings and of each branch, while training
    padding_idx: int = 0  # the token that stands for nothing, in either sequence

    def __post_init__(self):
        sizes = ("source_size", "target_size", "max_length", "hidden_size", "num_heads")
        for name in (*sizes, "num_layers", "feedforward_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"{self.num_heads} heads can't share {self.hidden_size} entries evenly: make "
                "hidden_size a multiple of num_heads"
            )
        if not 0 <= self.padding_idx < min(self.source_size, self.target_size):
            raise ValueError(
                f"padding_idx {self.padding_idx} is no token of both: there are "
                f"{self.source_size} and {self.target_size}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is at least 0 and below 1, not {self.dropout}")


# Dimensions: B batch, S source tokens, T target tokens, C hidden_size, H num_heads, D = C / H,
# V target_size; L and K queries and keys of one attention


def sinusoids(length: int, size: int) -> Tensor:
    r"""Positions as waves, (length, size): :math:`\sin(t\,\omega_i)` at 2i, the cosine at 2i + 1.

    :math:`\omega_i = 10000^{-2i / \text{size}}`. Source: Vaswani et al. (2017), section 3.5.
    """
    place = torch.arange(length, dtype=torch.float64)[:, None]
    at = torch.arange(size, dtype=torch.float64)
    angle = place * 10_000.0 ** (-2 * (at // 2) / size)
    waves = torch.where(at % 2 == 0, angle.sin(), angle.cos())
    return waves.to(torch.get_default_dtype())


class MultiHeadAttention(nn.Module):
    r"""H heads side by side, each :math:`\mathrm{softmax}(Q K^\top / \sqrt{D})\,V`.

    ``query`` is (B, L, C), ``key`` (B, K, C), which gives the values too; ``mask`` is True where a
    query may attend and broadcasts to (B, H, L, K). A query that may attend to nothing gets 0
    before the last projection. Raises ValueError unless ``num_heads`` divides ``size``. Source:
    Vaswani et al. (2017), section 3.2.2.
    """

    def __init__(self, size: int, num_heads: int):
        super().__init__()
        if num_heads < 1 or size % num_heads:
            raise ValueError(f"{num_heads} heads can't share {size} entries evenly")
        self.num_heads = num_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size, size))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * size))
        self.out_proj = nn.Linear(size, size)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The result (B, L, C), and who attended to whom (B, H, L, K)."""
        size = query.shape[-1]
        of_query, of_key = self.in_proj_weight.split([size, 2 * size])
        bias_query, bias_key = self.in_proj_bias.split([size, 2 * size])
        q = self._heads(F.linear(query, of_query, bias_query))  # (B, H, L, D)
        k, v = (self._heads(x) for x in F.linear(key, of_key, bias_key).chunk(2, -1))
        scores = q @ k.mT / math.sqrt(q.shape[-1])  # (B, H, L, K)
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1).masked_fill(~mask, 0.0)  # a row of nothing is 0, not NaN
        merged = (weights @ v).transpose(1, 2).flatten(2)  # (B, L, C)
        return self.out_proj(merged), weights

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, H, length, D)


class EncoderLayer(nn.Module):
    """Self-attention, then a perceptron on each token, each beside a way straight through."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        size = config.hidden_size
        self.self_attn = MultiHeadAttention(size, config.num_heads)
        self.linear1 = nn.Linear(size, config.feedforward_size)
        self.linear2 = nn.Linear(config.feedforward_size, size)
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, S, C) to (B, S, C)."""
        y = self.norm1(x)
        x = x + self.dropout(self.self_attn(y, y, mask)[0])
        return x + self.dropout(self.linear2(F.relu(self.linear1(self.norm2(x)))))


class DecoderLayer(nn.Module):
    """Self-attention to what has been written, attention to what was read, and a perceptron."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        size = config.hidden_size
        self.self_attn = MultiHeadAttention(size, config.num_heads)
        self.multihead_attn = MultiHeadAttention(size, config.num_heads)
        self.linear1 = nn.Linear(size, config.feedforward_size)
        self.linear2 = nn.Linear(config.feedforward_size, size)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(size) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, memory: Tensor, mask: Tensor, memory_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, T, C) to (B, T, C), and the attention to ``memory`` (B, H, T, S)."""
        y = self.norm1(x)
        x = x + self.dropout(self.self_attn(y, y, mask)[0])
        y, weights = self.multihead_attn(self.norm2(x), memory, memory_mask)
        x = x + self.dropout(y)
        return x + self.dropout(self.linear2(F.relu(self.linear1(self.norm3(x))))), weights


class Encoder(nn.Module):
    """All layers of the encoder, and a last norm."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, S, C) to (B, S, C)."""
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


class Decoder(nn.Module):
    """All layers of the decoder, and a last norm."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(
        self, x: Tensor, memory: Tensor, mask: Tensor, memory_mask: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """(B, T, C) to (B, T, C), and each layer's attention to ``memory`` (B, H, T, S)."""
        weights = []
        for layer in self.layers:
            x, looked = layer(x, memory, mask, memory_mask)
            weights.append(looked)
        return self.norm(x), weights


class Transformer(nn.Module):
    """Reads a source, and predicts each next token of a target.

    Padding may stand behind either sequence: nobody attends to it. Embeddings are multiplied by
    the square root of their width, and waves for the positions are added.
    """

    waves: Tensor

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        size, padding = config.hidden_size, config.padding_idx
        self.source_embedding = nn.Embedding(config.source_size, size, padding)
        self.target_embedding = nn.Embedding(config.target_size, size, padding)
        for table in (self.source_embedding, self.target_embedding):
            nn.init.normal_(table.weight, std=size**-0.5)
            nn.init.zeros_(table.weight[padding].detach())
        self.register_buffer("waves", sinusoids(config.max_length, size), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.head = nn.Linear(size, config.target_size)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """``source`` (B, S) to the memory (B, S, C), and the mask (B, 1, 1, S) of its tokens."""
        mask = (self._tokens("source", source) != self.config.padding_idx)[:, None, None]
        return self.encoder(self._embed(self.source_embedding, source), mask), mask

    def decode(
        self, target: Tensor, memory: Tensor, memory_mask: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, T, V) of what follows each of ``target`` (B, T), and where each looked."""
        length = self._tokens("target", target).shape[1]
        if len(target) != len(memory):
            raise ValueError(f"target and source differ in number: {len(target)}, {len(memory)}")
        causal = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
        mask = causal & (target != self.config.padding_idx)[:, None, None]  # (B, 1, T, T)
        x = self._embed(self.target_embedding, target)
        x, weights = self.decoder(x, memory, mask, memory_mask)
        return self.head(x), weights

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (B, T, V) for ``source`` (B, S) and ``target`` (B, T), all tokens at once."""
        return self.decode(target, *self.encode(source))[0]

    @torch.no_grad()
    def write(self, source: Tensor, start: int, end: int) -> Tensor:
        """The likeliest token at each step, (B, at most max_length), behind ``end`` padding."""
        memory, mask = self.encode(source)
        target = torch.full((len(source), 1), start, device=source.device)
        ended = torch.zeros(len(source), dtype=torch.bool, device=source.device)
        while target.shape[1] < self.config.max_length and not ended.all():
            token = self.decode(target, memory, mask)[0][:, -1].argmax(-1)
            token = token.masked_fill(ended, self.config.padding_idx)
            ended = ended | (token == end)
            target = torch.cat([target, token[:, None]], 1)
        return target[:, 1:]

    def _tokens(self, name: str, tokens: Tensor) -> Tensor:
        longest = self.config.max_length
        if tokens.ndim != 2 or not 0 < tokens.shape[1] <= longest:
            raise ValueError(f"{name} is (B, 1 to {longest}), not {tuple(tokens.shape)}")
        return tokens

    def _embed(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        x = table(tokens) * math.sqrt(self.config.hidden_size) + self.waves[: tokens.shape[1]]
        return self.dropout(x)
