import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.early_stopping import EarlyStopping
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.norm import BatchNorm1d


def watch(losses, patience):
    stopper = EarlyStopping(patience)
    for loss in losses:
        stopper.update(loss)
        if stopper.stop:
            break
    return stopper


@pytest.mark.parametrize(
    "losses, patience, kept, ran",
    [
        ([0.9, 0.5, 0.6, 0.7, 0.1], 2, 1, 4),
        ([0.9, 0.5, 0.6, 0.4, 0.7, 0.8, 0.2], 2, 3, 6),
        ([0.5, 0.5, 0.5, 0.4], 3, 3, 4),
        ([0.5, 0.5, 0.5, 0.4], 2, 0, 3),
        ([0.3, 0.9], 1, 0, 2),
        ([0.9, 0.8, 0.7], 2, 2, 3),
        ([np.nan, 0.9, 0.8, np.nan, np.nan], 2, 2, 5),
        ([np.inf, np.nan, 0.5], 2, None, 2),
        ([-1.0, -2.0, -2.0, -3.0], 2, 3, 4),
    ],
)
def test_which_epoch_is_kept_and_when_it_ends(losses, patience, kept, ran):
    stopper = watch(losses, patience)
    assert (stopper.best_epoch, stopper.epochs) == (kept, ran)
    assert stopper.best == (np.inf if kept is None else losses[kept])


@given(
    losses=st.lists(
        st.one_of(st.integers(0, 5).map(float), st.just(float("nan"))), min_size=1, max_size=20
    ),
    patience=st.integers(1, 5),
)
def test_the_kept_is_the_first_smallest_of_those_seen_and_patience_is_spent_after_it(
    losses, patience
):
    stopper = watch(losses, patience)
    seen = np.where(np.isnan(losses[: stopper.epochs]), np.inf, losses[: stopper.epochs])
    first = int(seen.argmin()) if np.isfinite(seen.min()) else None
    assert stopper.best_epoch == first
    since = stopper.epochs - 1 - (-1 if first is None else first)
    assert stopper.stop == (since == patience) and since <= patience
    assert stopper.stop or stopper.epochs == len(losses)


def test_update_says_whether_it_is_the_smallest_so_far():
    stopper = EarlyStopping(3)
    assert [stopper.update(v) for v in (0.5, 0.6, np.float32(0.25), 0.25)] == [
        True,
        False,
        True,
        False,
    ]


def test_the_best_parameters_come_back_and_not_those_of_the_end():
    net = Sequential(Linear(2, 3, rng=np.random.default_rng(0)), ReLU())
    stopper, seen = EarlyStopping(2), []
    for loss in (0.9, 0.3, 0.5, 0.6):
        for param in net.params.values():
            param += 1
        seen.append({name: p.copy() for name, p in net.params.items()})
        stopper.update(loss, net)
    arrays = dict(net.params)
    stopper.restore(net)
    for name, param in net.params.items():
        np.testing.assert_array_equal(param, seen[1][name])
        assert param is arrays[name], "an optimizer holds these arrays"


def test_running_statistics_come_back_with_the_parameters_that_go_with_them():
    rng = np.random.default_rng(0)
    net = Sequential(Linear(2, 3, rng=rng), BatchNorm1d(3))
    stopper, x = EarlyStopping(2), rng.normal(size=(8, 2))
    net.forward(x)
    net.eval()
    best = net.forward(x)
    stopper.update(0.1, net)
    net.train()
    net.forward(x + 10)
    net.eval()
    assert not np.allclose(net.forward(x), best)
    stopper.restore(net)
    np.testing.assert_array_equal(net.forward(x), best)


def test_a_new_best_without_a_network_leaves_none_to_restore():
    net, stopper = Sequential(Linear(2, 3, rng=np.random.default_rng(0))), EarlyStopping(2)
    stopper.update(0.5, net)
    stopper.update(0.4)
    with pytest.raises(ValueError, match="no network was given with the best epoch"):
        stopper.restore(net)


@pytest.mark.parametrize("patience", [0, -1, 1.5, True, None, "2", np.nan])
def test_a_patience_below_one_epoch_is_refused(patience):
    with pytest.raises(ValueError, match="patience"):
        EarlyStopping(patience)


@pytest.mark.parametrize(
    "value", [[0.5], np.array([0.5]), None, "0.5", True, np.bool_(True), 1j, {}, b"1"]
)
def test_what_is_no_number_is_refused(value):
    stopper = EarlyStopping(2)
    with pytest.raises(ValueError, match="one number"):
        stopper.update(value)
    assert stopper.epochs == 0


def test_what_is_no_network_is_refused_before_anything_is_noted():
    stopper = EarlyStopping(2)
    with pytest.raises(ValueError, match="net must be a layer, not a str"):
        stopper.update(0.5, "net")
    assert stopper.epochs == 0


def test_going_on_after_the_end_is_refused():
    stopper = watch([0.1, 0.2], 1)
    with pytest.raises(ValueError, match="stopped"):
        stopper.update(0.0)


def test_restoring_what_was_never_kept_or_doesnt_fit_is_refused():
    net = Sequential(Linear(2, 3, rng=np.random.default_rng(0)))
    stopper = EarlyStopping(2)
    with pytest.raises(ValueError, match="kept"):
        stopper.restore(net)
    stopper.update(0.5)
    with pytest.raises(ValueError, match="kept"):
        stopper.restore(net)
    stopper.update(0.4, net)
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 2\)"):
        stopper.restore(Sequential(Linear(2, 2, rng=np.random.default_rng(0))))
