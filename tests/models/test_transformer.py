import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlcourse.models.transformer import (
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    sinusoids,
)

SMALL = {"hidden_size": 8, "num_heads": 2, "num_layers": 2, "feedforward_size": 12}


def small(**options):
    torch.manual_seed(0)
    return Transformer(TransformerConfig(7, 6, 9, **(SMALL | options))).double()


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_attention_and_its_gradients_are_torchs(n, length, keys, heads):
    torch.manual_seed(0)
    ours = MultiHeadAttention(4 * heads, heads).double()
    theirs = nn.MultiheadAttention(4 * heads, heads, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    x, y = (torch.randn(n, s, 4 * heads, dtype=torch.float64) for s in (length, keys))
    mask = torch.rand(length, keys) < 0.6
    mask[:, 0] = True
    found, weights = ours(x, y, mask)
    wanted, wanted_weights = theirs(x, y, y, attn_mask=~mask, average_attn_weights=False)
    close(found, wanted)
    close(weights, wanted_weights)
    weigh = torch.randn_like(found)
    (found * weigh).sum().backward(), (wanted * weigh).sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-11, atol=1e-12)


def test_a_query_that_may_see_nothing_gets_0_and_sends_no_nan_back():
    torch.manual_seed(0)
    ours, x = MultiHeadAttention(4, 2).double(), torch.randn(1, 3, 4, dtype=torch.float64)
    mask = torch.ones(3, 3, dtype=torch.bool).tril(-1)
    y, weights = ours(x.requires_grad_(), x, mask)
    close(y[0, 0], ours.out_proj.bias)
    assert not weights[0, :, 0].any()
    y.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")  # torch's fast path is post-norm
def test_encoder_and_decoder_are_torchs_with_the_same_weights():
    ours = small()
    options = {"dropout": 0.0, "batch_first": True, "norm_first": True}
    theirs = nn.Transformer(8, 2, 2, 2, 12, **options).double().eval()
    parts = {"encoder": ours.encoder, "decoder": ours.decoder}
    for name, part in parts.items():
        getattr(theirs, name).load_state_dict(part.state_dict())
    source = torch.tensor([[3, 4, 5, 6], [4, 3, 0, 0]])
    target = torch.tensor([[1, 3, 4], [1, 5, 0]])
    x = ours._embed(ours.source_embedding, source)
    y = ours._embed(ours.target_embedding, target)
    wanted = theirs(
        x,
        y,
        tgt_mask=torch.ones(3, 3, dtype=torch.bool).triu(1),
        src_key_padding_mask=source == 0,
        tgt_key_padding_mask=target == 0,
        memory_key_padding_mask=source == 0,
    )
    close(ours(source, target), ours.head(wanted))


def test_the_future_cannot_change_the_past():
    model, source = small(), torch.tensor([[3, 4, 5]])
    one = model(source, torch.tensor([[1, 3, 4, 5]]))
    other = model(source, torch.tensor([[1, 3, 5, 2]]))
    torch.testing.assert_close(one[:, :2], other[:, :2], rtol=0, atol=0)
    assert (one[:, 2] != other[:, 2]).all()


def test_every_letter_changes_every_logit():
    model, target = small(), torch.tensor([[1, 3]])
    one = model(torch.tensor([[3, 4, 5]]), target)
    assert (one != model(torch.tensor([[3, 4, 6]]), target)).all()
    assert (one != model(torch.tensor([[4, 3, 5]]), target)).all()  # the same letters, elsewhere


def test_padding_changes_nothing():
    model = small()
    short, long = torch.tensor([[3, 4]]), torch.tensor([[3, 4, 0, 0], [5, 6, 3, 4]])
    target, padded = torch.tensor([[1, 3]]), torch.tensor([[1, 3, 0], [1, 4, 5]])
    close(model(long, padded)[:1, :2], model(short, target))
    assert not model.source_embedding.weight[0].any()


def test_writing_is_what_the_logits_say_and_ends_behind_end():
    model, source = small().eval(), torch.tensor([[3, 4, 5], [6, 5, 0]])
    written = model.write(source, 1, 2)
    target = torch.cat([torch.ones(2, 1, dtype=torch.int64), written], 1)
    assert written.shape[1] <= 8
    best = model(source, target[:, :-1]).argmax(-1)
    for row, wanted in zip(written.tolist(), best.tolist(), strict=True):
        end = row.index(2) + 1 if 2 in row else len(row)
        assert row[:end] == wanted[:end] and not any(row[end:])


def test_number_of_parameters():
    c, f, layers = 8, 12, 2
    attention, perceptron, norm = 4 * (c * c + c), (c + 1) * f + (f + 1) * c, 2 * c
    wanted = layers * (3 * attention + 2 * perceptron + 5 * norm) + 2 * norm + 13 * c + 9 * 6
    assert sum(p.numel() for p in small().parameters()) == wanted


def test_waves_are_sines_and_cosines_that_slow_down():
    waves = sinusoids(5, 6)
    assert waves.shape == (5, 6)
    torch.testing.assert_close(waves[:, 0], torch.arange(5.0).sin())
    torch.testing.assert_close(waves[:, 3], (torch.arange(5.0) / 10_000 ** (1 / 3)).cos())


def test_one_batch_overfits():
    model = small(hidden_size=16)
    source = torch.tensor([[3, 4, 5], [5, 4, 3]])
    target = torch.tensor([[1, 3, 4, 5, 2], [1, 5, 3, 2, 0]])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        logits = model(source, target[:, :-1])
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=0
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    assert model.eval().write(source, 1, 2).tolist() == [[3, 4, 5, 2], [5, 3, 2, 0]]


@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 0},
        {"feedforward_size": -1},
        {"num_heads": 3},
        {"dropout": 1.0},
        {"padding_idx": 6},
    ],
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        small(**options)


def test_sequences_of_another_shape_are_refused():
    model, fine = small(), torch.tensor([[1, 3]])
    with pytest.raises(ValueError, match=r"source is \(B, 1 to 9\), not \(1, 10\)"):
        model(torch.ones(1, 10, dtype=torch.int64), fine)
    with pytest.raises(ValueError, match=r"target is \(B, 1 to 9\), not \(2,\)"):
        model(fine, fine[0])
    with pytest.raises(ValueError, match="differ in number: 1, 2"):
        model(fine.repeat(2, 1), fine)


@pytest.mark.parametrize("heads", [0, 3])
def test_heads_that_cannot_share_the_entries_are_refused(heads):
    with pytest.raises(ValueError, match=f"{heads} heads can't share 4 entries"):
        MultiHeadAttention(4, heads)
