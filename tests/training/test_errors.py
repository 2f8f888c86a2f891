import pytest
import torch

from dlcourse.training import errors
from dlcourse.training.errors import RankLost


def explained(error):
    with errors.explaining(lambda: (1, 8, None)):
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
