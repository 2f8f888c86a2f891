import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlcourse.models.lstm import (
    GRU,
    LSTM,
    Reader,
    ReaderConfig,
    Translator,
    TranslatorConfig,
    turned,
)
from dlcourse.models.mingru import MinGRU

ORACLES = {LSTM: nn.LSTM, GRU: nn.GRU}
LAYERS = ["rnn", "lstm", "gru", "mingru"]


def close(ours, theirs, **more):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12, **more)


def listed(state):
    return list(state) if isinstance(state, tuple) else [state]


@pytest.mark.parametrize("kind", ORACLES)
@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_outputs_and_gradients_are_those_of_torchs_own(kind, n, steps, d, size, with_state):
    torch.manual_seed(0)
    ours, theirs = kind(d, size).double(), ORACLES[kind](d, size, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(n, steps, d, dtype=torch.float64)
    state = tuple(torch.randn(n, size, dtype=torch.float64) for _ in range(2))
    state = state if kind is LSTM else state[0]
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    y, last = ours(inputs[0], state if with_state else None)
    first = tuple(s[None] for s in state) if kind is LSTM else state[None]
    wanted, wanted_last = theirs(inputs[1], first if with_state else None)
    close(y, wanted)
    for one, other in zip(listed(last), listed(wanted_last), strict=True):
        close(one, other[0])
    weigh = torch.randn_like(y)
    (y * weigh).sum().backward(), (wanted * weigh).sum().backward()
    close(inputs[0].grad, inputs[1].grad)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-11, atol=1e-12, msg=name)


@pytest.mark.parametrize("kind", ORACLES)
def test_first_values_follow_torchs_law(kind):
    torch.manual_seed(0)
    ours, theirs = kind(30, 100), ORACLES[kind](30, 100)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.shape == q.shape and p.abs().max() <= 0.1
        assert abs(p.std() / q.std() - 1) < 0.25


def test_a_forget_bias_moves_the_forget_gate_alone():
    torch.manual_seed(0)
    plain = LSTM(2, 3)
    torch.manual_seed(0)
    moved = LSTM(2, 3, forget_bias=1.0)
    shift = moved.bias_ih_l0 + moved.bias_hh_l0 - plain.bias_ih_l0 - plain.bias_hh_l0
    torch.testing.assert_close(shift, torch.tensor([0.0] * 3 + [1.0] * 3 + [0.0] * 6))
    assert torch.equal(plain.weight_ih_l0, moved.weight_ih_l0)


@pytest.mark.parametrize("lengths", [[4, 1, 3], [4, 4, 4]])
def test_an_lstm_that_knows_the_lengths_ends_as_on_each_sequence_alone(lengths):
    torch.manual_seed(0)
    layer, x = LSTM(2, 3).double(), torch.randn(3, 4, 2, dtype=torch.float64)
    _, (h, c) = layer(x, lengths=torch.tensor(lengths))
    for i, length in enumerate(lengths):
        _, (h_alone, c_alone) = layer(x[i : i + 1, :length])
        close(h[i], h_alone[0])
        close(c[i], c_alone[0])


@pytest.mark.parametrize("kind", [LSTM, GRU, MinGRU])
def test_the_future_cannot_change_the_past_and_two_parts_are_one(kind):
    torch.manual_seed(0)
    layer, x = kind(2, 3).double(), torch.randn(2, 7, 2, dtype=torch.float64)
    whole, last = layer(x)
    other = x.clone()
    other[:, 4:] += 1
    close(layer(other)[0][:, :4], whole[:, :4])
    assert (layer(other)[0][:, 4] != whole[:, 4]).all()
    first, state = layer(x[:, :4])
    second, end = layer(x[:, 4:], state)
    close(torch.cat([first, second], 1), whole)
    for one, two in zip(listed(last), listed(end), strict=True):
        close(one, two)


def test_a_sequence_is_turned_and_its_padding_stays():
    x = torch.tensor([[1, 2, 3, 0, 0], [1, 2, 3, 4, 5], [7, 0, 0, 0, 0]])
    wanted = torch.tensor([[3, 2, 1, 0, 0], [5, 4, 3, 2, 1], [7, 0, 0, 0, 0]])
    lengths = torch.tensor([3, 5, 1])
    assert torch.equal(turned(x, lengths), wanted)
    assert torch.equal(turned(turned(x, lengths), lengths), x)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("both", [False, True])
def test_padding_has_no_say_in_a_reader(layer, both):
    torch.manual_seed(0)
    net = Reader(ReaderConfig(2, 3, 4, layer, both)).double()
    x, lengths = torch.randn(3, 6, 2, dtype=torch.float64), torch.tensor([2, 6, 4])
    logits = net(x, lengths)
    for i, length in enumerate(lengths.tolist()):
        close(logits[i : i + 1], net(x[i : i + 1, :length], lengths[i : i + 1]))
    junk = x.clone()
    junk[0, 2:] = 1e6
    close(net(junk, lengths), logits)


@pytest.mark.parametrize("both", [False, True])
def test_a_reader_reads_what_torch_packs(both):
    torch.manual_seed(0)
    net = Reader(ReaderConfig(2, 3, 4, "lstm", both)).double()
    oracle = nn.LSTM(2, 4, batch_first=True, bidirectional=both).double()
    weights = dict(net.forwards.state_dict())
    if both:
        weights |= {f"{k}_reverse": p for k, p in net.backwards.state_dict().items()}
    oracle.load_state_dict(weights)
    x, lengths = torch.randn(3, 6, 2, dtype=torch.float64), torch.tensor([2, 6, 4])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    _, (h, _) = oracle(packed)
    close(net(x, lengths), net.head(torch.cat(list(h), 1)))


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_numbers_of_parameters():
    assert count(LSTM(12, 32)) == 4 * 32 * (12 + 32 + 2) == count(nn.LSTM(12, 32))
    assert count(GRU(12, 32)) == 3 * 32 * (12 + 32 + 2) == count(nn.GRU(12, 32))
    assert count(MinGRU(12, 32)) == 2 * 32 * 13
    assert count(Reader(ReaderConfig(12, 9, 32))) == 4 * 32 * 46 + 9 * 33
    assert count(Reader(ReaderConfig(12, 9, 32, "gru", True))) == 2 * 3 * 32 * 46 + 9 * 65
    net = Translator(TranslatorConfig(28, 40, 16, 64))
    assert count(net) == (28 + 40) * 16 + 2 * 4 * 64 * (16 + 64 + 2) + 40 * 65


@pytest.mark.parametrize("layer", LAYERS)
def test_one_batch_overfits_a_reader(layer):
    torch.manual_seed(0)
    net = Reader(ReaderConfig(3, 4, 16, layer, bidirectional=layer == "gru"))
    x, lengths = torch.randn(4, 5, 3), torch.tensor([5, 2, 3, 4])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(80):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x, lengths), torch.arange(4))
        loss.backward()
        optimizer.step()
    assert loss < 0.05


SOURCE = torch.tensor([[2, 3, 4], [4, 2, 0], [3, 0, 0]])
TARGET = torch.tensor([[1, 4, 3, 2, 1], [1, 2, 4, 1, 0], [1, 3, 1, 0, 0]])  # turned round


def test_one_batch_overfits_a_translator_and_then_it_writes_it():
    torch.manual_seed(0)
    net = Translator(TranslatorConfig(5, 5, 8, 24))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(120):
        optimizer.zero_grad()
        logits = net(SOURCE, TARGET[:, :-1]).transpose(1, 2)
        nn.functional.cross_entropy(logits, TARGET[:, 1:], ignore_index=0).backward()
        optimizer.step()
    assert torch.equal(net.write(SOURCE, 4), TARGET[:, 1:])


def test_a_translator_sees_no_padding_and_no_future():
    torch.manual_seed(0)
    net = Translator(TranslatorConfig(5, 5, 4, 6)).double()
    logits = net(SOURCE, TARGET)
    close(net(SOURCE[2:, :1], TARGET[2:]), logits[2:])
    other = TARGET.clone()
    other[:, 3:] = 2
    close(net(SOURCE, other)[:, :3], logits[:, :3])
    changed = SOURCE.clone()
    changed[0, 0] = 3
    assert (net(changed, TARGET)[0] != logits[0]).all()  # the source reaches every step


def test_a_writer_stops_at_its_mark():
    net = Translator(TranslatorConfig(5, 5, 4, 6))
    with torch.no_grad():
        net.head.bias[1] = 100
    wanted = torch.tensor([[1, 0, 0]]).repeat(3, 1)
    assert torch.equal(net.write(SOURCE, 3), wanted)


@pytest.mark.parametrize("kind", [LSTM, GRU, MinGRU])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 0, 1), (2, 3, 1, 1)])
def test_series_of_another_shape_are_refused(kind, shape):
    with pytest.raises(ValueError, match=r"x is \(B, T, 1\)"):
        kind(1, 2)(torch.zeros(shape))


@pytest.mark.parametrize("kind", [LSTM, GRU, MinGRU])
def test_states_and_sizes_that_do_not_fit_are_refused(kind):
    wrong = torch.zeros(1, 3)
    with pytest.raises(ValueError, match=r"\(2, 3\), not \(1, 3\)"):
        kind(1, 3)(torch.zeros(2, 4, 1), (wrong, wrong) if kind is LSTM else wrong)
    with pytest.raises(ValueError, match="0 and 3"):
        kind(0, 3)


@pytest.mark.parametrize("lengths", [[2, 0], [2, 4], [2], [[1, 2]]])
def test_lengths_that_do_not_fit_are_refused(lengths):
    with pytest.raises(ValueError, match="lengths are 2 numbers from 1 to 3"):
        Reader(ReaderConfig(1, 2))(torch.zeros(2, 3, 1), torch.tensor(lengths))


def test_impossible_settings_are_refused():
    for options in ({"hidden_size": 0}, {"layer": "tanh"}, {"input_size": -1}, {"classes": 0}):
        with pytest.raises(ValueError, match=str(next(iter(options.values())))):
            ReaderConfig(**{"input_size": 2, "classes": 3} | options)
    with pytest.raises(ValueError, match="forget_bias is 1.0, and gru"):
        ReaderConfig(2, 3, layer="gru", forget_bias=1.0)
    with pytest.raises(ValueError, match="target_size is at least 1, not 0"):
        TranslatorConfig(5, 0)
    net = Translator(TranslatorConfig(5, 5, 4, 6))
    for source in (torch.zeros(1, 3, dtype=torch.int64), torch.zeros(0, 3, dtype=torch.int64)):
        with pytest.raises(ValueError, match="each source needs a token"):
            net(source, TARGET[:1])
