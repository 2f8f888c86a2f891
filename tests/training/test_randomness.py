import random

import numpy as np
import pytest
import torch

from dlcourse.training.randomness import (
    derived_seed,
    kept,
    random_state,
    seed_everything,
    set_random_state,
)

CPU = torch.device("cpu")


def draw():
    return random.random(), np.random.randn(), torch.randn(()).item(), random.gauss(0, 1)


def test_equal_seeds_give_equal_numbers_from_all_three():
    found = []
    for seed in (0, 0, 1):
        seed_everything(seed)
        found.append(draw())
    assert found[0] == found[1]
    assert all(a != b for a, b in zip(found[0], found[2], strict=True))


def test_states_are_restored_in_the_middle_of_a_pair_of_normal_numbers():
    draw()  # NumPy and random.gauss keep the second of a pair for the next time
    state = random_state(CPU)
    expected = draw(), draw()
    set_random_state(state, CPU)
    assert (draw(), draw()) == expected


def test_what_is_drawn_inside_leaves_no_trace():
    state = random_state(CPU)
    expected = draw()
    set_random_state(state, CPU)
    with kept():
        seed_everything(5)
        draw()
    assert draw() == expected


def test_derived_seeds_differ_and_are_the_same_for_ever():
    assert derived_seed(0, 0) == 6375474604893067239
    seeds = {derived_seed(*numbers) for numbers in np.ndindex(9, 9, 9)}
    assert len(seeds) == 9**3 and all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_numpy_cannot_take_are_refused(seed):
    with pytest.raises(ValueError, match=str(seed)):
        seed_everything(seed)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpus_state_is_seeded_saved_and_restored():
    device = torch.device("cuda", 0)
    seed_everything(3)
    first = torch.randn(4, device=device)
    seed_everything(3)
    state = random_state(device)
    assert torch.equal(torch.randn(4, device=device), first)
    set_random_state(state, device)
    assert torch.equal(torch.randn(4, device=device), first)
