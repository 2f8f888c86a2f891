import numpy as np
import pytest
import torch

from dlcourse.training import errors
from dlcourse.training.errors import Diverged, RankLost, require_int


def explained(error):
    with errors.explaining(lambda: ("step 1", 8, None)):
        raise error


@pytest.mark.parametrize(
    "text",
    [
        "MPS backend out of memory (MPS allocated: 8 GB)",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_every_way_to_run_out_of_memory_is_explained(text):
    with pytest.raises(torch.OutOfMemoryError, match="Lower batch_size"):
        explained(RuntimeError(text))


def test_nccls_own_reason_is_kept():
    text = (
        "NCCL error in: /x/ProcessGroupNCCL.cpp:3690, unhandled system error, NCCL version 2.27.5\n"
        "Error while creating shared memory segment"
    )
    with pytest.raises(RankLost, match="the ranks lost each other, .* shared memory segment"):
        explained(torch.distributed.DistBackendError(text))


def test_a_sentence_is_not_explained_again():
    error = Diverged("step 1: ... Last good checkpoint: runs/gloo/out of memory.pt")
    with pytest.raises(Diverged) as found:
        explained(error)
    assert found.value is error


@pytest.mark.parametrize("value", [0, -1, 2.0, 2.5, float("nan"), "2", None, True, torch.ones(2)])
def test_what_is_no_count_is_refused_and_named(value):
    with pytest.raises(ValueError) as error:
        require_int("size", value)
    assert str(error.value) == f"size is an integer of at least 1, not {value!r}"


def test_counts_may_be_numpys():
    require_int("size", np.int64(1))
    require_int("size", 0, 0)
