import random
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import IterableDataset, TensorDataset, default_collate

from dlcourse.training import data, distributed
from dlcourse.training.data import Loader, OnDevice, Order
from dlcourse.training.randomness import random_state
from tests.training.runs import Noisy, assert_same, make_data

WORKERS = [0, pytest.param(2, marks=pytest.mark.skipif(sys.platform != "linux", reason="forks"))]


def on_rank(rank, world_size, make):
    """What ``make`` makes on one of ``world_size`` ranks."""
    real = data.current
    data.current = lambda: distributed.Ranks(rank, world_size)
    try:
        return make()
    finally:
        data.current = real


@given(
    size=st.integers(1, 200),
    batch_size=st.integers(1, 17),
    world_size=st.integers(1, 5),
    epoch=st.integers(0, 3),
    shuffle=st.booleans(),
)
def test_ranks_share_the_samples_out_without_a_duplicate(
    size, batch_size, world_size, epoch, shuffle
):
    if size < world_size:
        return
    make = lambda: Order(size, batch_size, seed=3, shuffle=shuffle)  # noqa: E731
    orders = [on_rank(rank, world_size, make) for rank in range(world_size)]
    for order in orders:
        order.start(epoch)
    batches = [list(order) for order in orders]
    assert [len(each) for each in batches] == [len(order) for order in orders]
    seen = Counter(i for each in batches for batch in each for i in batch)
    assert set(seen.values()) == {1}
    tail = size % (batch_size * world_size)
    left_out = tail if shuffle and tail < world_size else 0
    assert len(seen) == size - left_out
    if shuffle:  # equally many, of equal sizes but in the last
        assert len({len(each) for each in batches}) == 1
        sizes = [[len(batch) for batch in each] for each in batches]
        assert all(s == batch_size for each in sizes for s in each[:-1])
        assert max(each[-1] for each in sizes) - min(each[-1] for each in sizes) <= 1
    together = [sorted(i for each in batches for i in each[k]) for k in range(len(batches[-1]))]
    alone = Order(size, batch_size * world_size, seed=3, shuffle=shuffle)
    alone.start(epoch)
    assert together == [sorted(batch) for batch in alone][: len(together)]


def test_the_order_is_a_function_of_seed_and_epoch():
    orders = {}
    for seed in (0, 1):
        for epoch in (0, 1):
            order = Order(100, 10, seed=seed)
            order.start(epoch)
            orders[seed, epoch] = list(order)
            order.start(epoch)
            torch.randn(7)  # nobody else's numbers matter
            assert list(order) == orders[seed, epoch]
    assert len({str(o) for o in orders.values()}) == 4
    assert sorted(i for batch in orders[0, 0] for i in batch) == list(range(100))


@pytest.mark.parametrize("num_workers", WORKERS)
def test_an_epoch_goes_on_from_any_batch(num_workers):
    loader = Loader(Noisy(53), 8, num_workers=num_workers)
    loader.start(2)
    whole = list(loader)
    for first in (0, 1, 6, 7):
        loader.start(2, first)
        assert_same(list(loader), whole[first:])
    loader.start(2, 3)
    next(iter(loader))
    assert len(list(loader)) == 7  # the place was for one iteration


def test_samples_draw_the_same_whichever_worker_reads_them():
    def epoch(number, **options):
        loader = Loader(Noisy(40), 8, **options)
        loader.start(number)
        return list(loader)

    assert_same(epoch(1, num_workers=0), epoch(1, num_workers=2))
    first, second = (torch.cat([x for x, _ in epoch(n)]).sort(0).values for n in (0, 1))
    assert not torch.allclose(first, second)  # other noise in another epoch


def test_a_sample_draws_from_all_three_generators():
    def draws(sample):
        return sample - Noisy(1).tensors[0][0]

    class One(Noisy):
        def __getitem__(self, index):
            return torch.tensor([torch.rand(()).item(), np.random.rand(), random.random()])

    found = [next(iter(Loader(One(9), 9, seed=seed)))[0] for seed in (0, 0, 1)]
    assert torch.equal(found[0], found[1])
    assert (found[0] != found[2]).all()


@pytest.mark.parametrize("num_workers", WORKERS)
def test_loading_draws_nothing_from_the_runs_generators(num_workers):
    before = random_state(torch.device("cpu"))
    for _ in Loader(Noisy(20), 8, num_workers=num_workers):
        pass
    for _ in OnDevice(torch.ones(20), batch_size=8, device="cpu"):
        pass
    assert_same(before, random_state(torch.device("cpu")))


def noisy(samples):
    x, y = default_collate(samples)
    return x + torch.rand(()), y


class Augmented(TensorDataset):
    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + torch.rand(()), y


@pytest.mark.parametrize("num_workers", WORKERS)
@pytest.mark.parametrize("kind, collate_fn", [(TensorDataset, noisy), (Augmented, default_collate)])
def test_collating_and_subclasses_draw_the_same_after_a_resume(kind, collate_fn, num_workers):
    data = kind(*make_data(24).tensors)
    whole, rest = (
        Loader(data, 4, num_workers=num_workers, collate_fn=collate_fn) for _ in range(2)
    )
    list(whole)
    before = random_state(torch.device("cpu"))
    whole.start(1)
    batches = list(whole)
    assert_same(before, random_state(torch.device("cpu")))
    torch.randn(7)  # nobody else's numbers matter
    rest.start(1, 2)
    assert_same(list(rest), batches[2:])


def test_every_batch_is_collated_with_other_numbers_than_its_samples_drew():
    class Drawing(Noisy):
        def __getitem__(self, index):
            return torch.rand(())

    def collate(samples):
        return torch.stack([*samples, torch.rand(())])

    loader = Loader(Drawing(12), 4, collate_fn=collate)
    drawn = []
    for epoch in (0, 1):
        loader.start(epoch)
        drawn += torch.cat(list(loader)).tolist()
    assert len(set(drawn)) == len(drawn) == 2 * (12 + 3)


@pytest.mark.parametrize("shuffle", [True, False])
def test_data_on_the_device_come_in_the_loaders_order(shuffle):
    tensors = torch.arange(53), torch.randn(53, 2, 3)
    loaders = [
        Loader(TensorDataset(*tensors), 8, seed=4, shuffle=shuffle),
        OnDevice(*tensors, batch_size=8, device="cpu", seed=4, shuffle=shuffle),
    ]
    for epoch, first in [(0, 0), (3, 0), (3, 5), (3, 7)]:
        for loader in loaders:
            loader.start(epoch, first)
        a, b = ([list(batch) for batch in loader] for loader in loaders)
        assert_same(a, b)
        assert len(a) == 7 - first
        assert [len(list(loader)) for loader in loaders] == [7, 7]  # the place was for one epoch
    assert len(loaders[0]) == len(loaders[1]) == 7
    assert str(loaders[0].order) == str(loaders[1].order)


def test_an_epoch_in_order_is_in_order():
    batches = list(OnDevice(torch.arange(5), batch_size=2, device="cpu", shuffle=False))
    assert [b.tolist() for (b,) in batches] == [[0, 1], [2, 3], [4]]


def test_what_cannot_be_loaded_is_refused():
    class Endless(IterableDataset):
        def __iter__(self):
            return iter(int, 1)

    with pytest.raises(ValueError, match="no length"):
        Loader(Endless(), 8)
    for size in (0, 2.5, float("nan")):
        with pytest.raises(ValueError, match=f"batch_size is an integer of at least 1, not {size}"):
            Order(10, size)
    with pytest.raises(ValueError, match="3 samples can't be shared by 4 ranks"):
        on_rank(0, 4, lambda: Order(3, 1))
    with pytest.raises(ValueError, match=r"\[3, 4\]"):
        OnDevice(torch.ones(3), torch.ones(4), batch_size=2, device="cpu")
    for what, kind in [((), "nothing"), ((np.ones(3), [1, 2, 3]), "ndarray, list")]:
        with pytest.raises(ValueError, match=f"takes tensors, not {kind}: give it x and y"):
            OnDevice(*what, batch_size=2, device="cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_memory_is_pinned_for_a_gpu_and_whole_data_sets_live_there():
    assert next(iter(Loader(TensorDataset(torch.ones(4)), 2)))[0].is_pinned()
    assert next(iter(OnDevice(torch.ones(4), batch_size=2, device="cuda")))[0].is_cuda
