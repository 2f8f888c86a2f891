import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlcourse.models.rnn import RNN, Forecaster, Speller, SpellerConfig


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_outputs_and_gradients_are_those_of_torchs_own(n, steps, d, size, with_state):
    torch.manual_seed(0)
    ours, theirs = RNN(d, size).double(), nn.RNN(d, size, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(n, steps, d, dtype=torch.float64)
    state = torch.randn(n, size, dtype=torch.float64) if with_state else None
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    y, last = ours(inputs[0], state)
    wanted, wanted_last = theirs(inputs[1], None if state is None else state[None])
    close(y, wanted)
    close(last, wanted_last[0])
    weigh = torch.randn_like(y)
    (y * weigh).sum().backward(), (wanted * weigh).sum().backward()
    close(inputs[0].grad, inputs[1].grad)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-11, atol=1e-12, msg=name)


def test_first_values_follow_torchs_law():
    torch.manual_seed(0)
    ours, theirs = RNN(30, 100), nn.RNN(30, 100)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.shape == q.shape and p.abs().max() <= 0.1
        assert abs(p.std() / q.std() - 1) < 0.25


def test_the_future_cannot_change_the_past():
    torch.manual_seed(0)
    model = Speller(SpellerConfig(6))
    tokens = torch.tensor([[1, 2, 3, 4]])
    other = torch.tensor([[1, 2, 5, 5]])
    torch.testing.assert_close(model(tokens)[0][:, :2], model(other)[0][:, :2], rtol=0, atol=0)
    assert (model(tokens)[0][:, 2] != model(other)[0][:, 2]).all()


def test_padding_behind_changes_nothing_before_it():
    torch.manual_seed(0)
    model = Speller(SpellerConfig(6)).double()
    short, padded = torch.tensor([[1, 2]]), torch.tensor([[1, 2, 0, 0], [3, 4, 5, 1]])
    close(model(padded)[0][:1, :2], model(short)[0])
    nn.functional.cross_entropy(model(padded)[0][:, :2].flatten(0, 1), torch.ones(4).long())
    model(padded)[0].sum().backward()
    assert not model.embedding.weight.grad[0].any() and not model.embedding.weight[0].any()


def test_two_parts_with_the_state_handed_on_are_one_series():
    torch.manual_seed(0)
    model, x = Forecaster(3).double(), torch.randn(2, 7, dtype=torch.float64)
    whole, last = model(x)
    first, state = model(x[:, :4])
    second, end = model(x[:, 4:], state)
    close(torch.cat([first, second], 1), whole)
    close(end, last)


def test_number_of_parameters():
    count = sum(p.numel() for p in Speller(SpellerConfig(28, 10, 32)).parameters())
    assert count == 28 * 10 + 32 * (10 + 32 + 2) + 28 * 33
    assert sum(p.numel() for p in Forecaster(5).parameters()) == 5 * (1 + 5 + 2) + 6


def test_one_batch_overfits():
    torch.manual_seed(0)
    model = Speller(SpellerConfig(6, 8, 16))
    tokens = torch.tensor([[1, 2, 3, 4, 5], [1, 3, 2, 5, 4]])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(60):
        optimizer.zero_grad()
        logits = model(tokens[:, :-1])[0].flatten(0, 1)
        nn.functional.cross_entropy(logits, tokens[:, 1:].flatten()).backward()
        optimizer.step()
    right = (model(tokens[:, :-1])[0].argmax(-1) == tokens[:, 1:])[:, 1:]
    assert right.all()  # the second token can't be known


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 0, 1), (2, 3, 1, 1)])
def test_series_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"x is \(B, T, 1\)"):
        RNN(1, 2)(torch.zeros(shape))


def test_states_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\), not \(1, 3\)"):
        RNN(1, 3)(torch.zeros(2, 4, 1), torch.zeros(1, 3))


@pytest.mark.parametrize(
    "options",
    [{"vocab_size": 0}, {"embedding_size": 0}, {"hidden_size": -1}, {"padding_idx": 5}],
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        SpellerConfig(**{"vocab_size": 5} | options)
    with pytest.raises(ValueError, match="0 and 3"):
        RNN(0, 3)
