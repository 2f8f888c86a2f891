import numpy as np
import pytest
import torch

from dlcourse.scratch.fit import evaluate, fit
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.losses import CrossEntropyLoss, MSELoss
from dlcourse.scratch.norm import BatchNorm1d
from dlcourse.scratch.optim import SGD, Adam
from dlcourse.scratch.schedule import step_decay


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def network(seed=0):
    rng = np.random.default_rng(seed)
    return Sequential(Linear(3, 8, rng=rng), ReLU(), Linear(8, 2, rng=rng))


def problem(rng, n=50):
    x = rng.normal(size=(n, 3))
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def test_it_learns_and_keeps_a_record(rng):
    net, data, held_out = network(), problem(rng, 53), problem(rng, 20)
    optimizer = Adam(net.params, net.grads, lr=0.02)
    history = fit(
        net, CrossEntropyLoss(), optimizer, data, held_out, epochs=40, batch_size=10, rng=rng
    )
    assert len(history.train) == len(history.validation) == 40
    assert len(history.batch) == len(history.lr) == 40 * 6  # the last batch has 3 samples
    assert set(history.lr) == {0.02} and not history.norm
    assert history.train[-1] < 0.5 * history.train[0]
    assert evaluate(net, CrossEntropyLoss(), held_out) == history.validation[-1]


def test_the_full_batch_is_torchs_training(rng):
    net, (x, y) = network(), problem(rng)
    oracle = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    oracle.double().load_state_dict({k: torch.from_numpy(p.copy()) for k, p in net.params.items()})
    torchs = torch.optim.SGD(oracle.parameters(), lr=0.1, momentum=0.9)
    optimizer = SGD(net.params, net.grads, lr=0.1, momentum=0.9)
    history = fit(
        net, CrossEntropyLoss(), optimizer, (x, y), epochs=5, batch_size=50, rng=rng, max_norm=0.2
    )
    for found, norm in zip(history.batch, history.norm, strict=True):
        torchs.zero_grad()
        loss = torch.nn.functional.cross_entropy(oracle(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        expected = torch.nn.utils.clip_grad_norm_(oracle.parameters(), 0.2).item()
        torchs.step()
        np.testing.assert_allclose([found, norm], [loss.item(), expected], rtol=1e-12)
    for name, param in oracle.named_parameters():
        np.testing.assert_allclose(net.params[name], param.detach().numpy(), atol=1e-12)


def test_each_epoch_shows_every_sample_once_in_a_new_order(rng):
    class Spy(MSELoss):
        seen: list[float] = []

        def forward(self, prediction, target):
            self.seen.extend(target[:, 0])
            return super().forward(prediction, target)

    net = Sequential(Linear(1, 1, rng=rng))
    x = np.arange(11.0)[:, None]
    fit(net, Spy(), SGD(net.params, net.grads, lr=0.0), (x, x), epochs=3, batch_size=4, rng=rng)
    epochs = np.reshape(Spy.seen, (3, 11))
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(11.0), (3, 1)))
    assert len({tuple(order) for order in epochs}) == 3


def test_with_lr_zero_the_training_loss_is_the_loss_of_all_samples(rng):
    net, data = network(), problem(rng, 7)  # batches of 3, 3 and 1 count by their size
    optimizer = SGD(net.params, net.grads, lr=0.0)
    history = fit(net, CrossEntropyLoss(), optimizer, data, epochs=2, batch_size=3, rng=rng)
    np.testing.assert_allclose(history.train, evaluate(net, CrossEntropyLoss(), data), rtol=1e-12)
    assert history.validation == []


def test_a_schedule_sees_the_step_counted_over_all_epochs(rng):
    net, data = network(), problem(rng, 10)
    optimizer = SGD(net.params, net.grads, lr=9.0)

    def schedule(step):
        return step_decay(step, lr=0.1, every=3, factor=0.5)

    history = fit(
        net,
        CrossEntropyLoss(),
        optimizer,
        data,
        epochs=2,
        batch_size=4,
        rng=rng,
        schedule=schedule,
    )
    assert history.lr == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05]


def test_the_same_seed_is_the_same_run(rng):
    data, losses = problem(rng), []
    for _ in range(2):
        net = network()
        optimizer = Adam(net.params, net.grads)
        run = np.random.default_rng(3)
        history = fit(net, CrossEntropyLoss(), optimizer, data, epochs=2, batch_size=8, rng=run)
        losses.append(history.batch)
    assert losses[0] == losses[1]


def test_what_cannot_be_trained_is_refused(rng):
    net, (x, y) = network(), problem(rng)
    optimizer = SGD(net.params, net.grads, lr=0.1)

    def run(x, y, optimizer=optimizer, **settings):
        settings = {"epochs": 1, "batch_size": 8} | settings
        fit(net, CrossEntropyLoss(), optimizer, (x, y), rng=rng, **settings)

    with pytest.raises(ValueError, match="50 and 49"):
        run(x, y[1:])
    with pytest.raises(ValueError, match="0 and 0"):
        run(x[:0], y[:0])
    with pytest.raises(ValueError, match="0, 8"):
        run(x, y, epochs=0)
    with pytest.raises(ValueError, match="1, -2"):
        run(x, y, batch_size=-2)
    other = network()
    for params, grads in ((other.params, net.grads), (net.params, other.grads)):
        with pytest.raises(ValueError, match="other arrays"):
            run(x, y, SGD(params, grads, lr=0.1))


def test_a_run_that_diverges_ends_in_words_and_not_in_a_wrong_number(rng):
    net, (x, _) = network(), problem(rng)
    target = x[:, :2]
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ValueError, match="NaN or inf"),
    ):
        optimizer = SGD(net.params, net.grads, lr=100.0)
        fit(net, MSELoss(), optimizer, (x, target), epochs=50, batch_size=50, rng=rng)


def test_steps_are_taken_in_training_mode_and_losses_of_others_in_evaluation(rng):
    data, held_out = problem(rng), problem(rng, 20)
    net = Sequential(Linear(3, 8, rng=rng), BatchNorm1d(8), ReLU(), Linear(8, 2, rng=rng))
    norm, loss = net.layers[1], CrossEntropyLoss()
    optimizer = SGD(net.params, net.grads, lr=0.1)
    net.eval()  # as a validation before left it
    history = fit(net, loss, optimizer, data, held_out, epochs=3, batch_size=10, rng=rng)
    assert norm.running_mean.any() and norm.training and net.training
    learnt = norm.running_mean.copy()
    one_by_one = [
        evaluate(net, loss, (held_out[0][i : i + 1], held_out[1][i : i + 1])) for i in range(20)
    ]
    assert np.mean(one_by_one) == pytest.approx(history.validation[-1], abs=1e-12)
    np.testing.assert_array_equal(norm.running_mean, learnt)
    net.eval()
    evaluate(net, loss, held_out)
    assert not net.training and not norm.training


def test_lists_and_half_epochs_are_refused(rng):
    net, loss = network(), CrossEntropyLoss()
    optimizer, (x, y) = SGD(net.params, net.grads, lr=0.1), problem(rng)
    with pytest.raises(ValueError, match="x must be an array, not a list"):
        fit(net, loss, optimizer, (x.tolist(), y), epochs=1, batch_size=2, rng=rng)
    with pytest.raises(ValueError, match="whole numbers from 1: 1.5, 2"):
        fit(net, loss, optimizer, (x, y), epochs=1.5, batch_size=2, rng=rng)
