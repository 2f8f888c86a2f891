"""The device a run computes on: which one, how fast it can be, how much of its memory was used."""

import sys

import torch

# Peak FLOP/s by part of the name that torch.cuda.get_device_name gives, for dense matrices, float16
# and bfloat16 with sums in float32. float32 is without TF32, as torch's default is. From NVIDIA's
# data sheets of the V100 (2018), T4 (2019), A100 (2021), L4 (2023), H100 (2023) and H200 (2024);
# where a sheet gives the rate for sparse matrices, half of it.
PEAK_FLOPS: dict[str, dict[torch.dtype, float]] = {
    "V100-SXM2": {torch.float16: 125e12, torch.float32: 15.7e12, torch.float64: 7.8e12},
    "T4": {torch.float16: 65e12, torch.float32: 8.1e12},
    "A100": {
        torch.bfloat16: 312e12,
        torch.float16: 312e12,
        torch.float32: 19.5e12,
        torch.float64: 19.5e12,
    },
    "L4": {torch.bfloat16: 121e12, torch.float16: 121e12, torch.float32: 30.3e12},
    "H100 PCIe": {
        torch.bfloat16: 756e12,
        torch.float16: 756e12,
        torch.float32: 51e12,
        torch.float64: 51e12,
    },
    "H100 80GB HBM3": {
        torch.bfloat16: 989e12,
        torch.float16: 989e12,
        torch.float32: 67e12,
        torch.float64: 67e12,
    },
    "H200": {
        torch.bfloat16: 989e12,
        torch.float16: 989e12,
        torch.float32: 67e12,
        torch.float64: 67e12,
    },
}


def best_device() -> torch.device:
    """The first CUDA device if there is one, else Apple's GPU, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def peak_flops(name: str, dtype: torch.dtype) -> float:
    """Peak FLOP/s of the GPU called ``name`` for matrix products in ``dtype``.

    Raises ValueError for a GPU or a dtype that isn't in ``PEAK_FLOPS``.
    """
    words = f" {name.replace('-', ' ')} "  # L4 isn't to be found in L40S
    if {"MIG", "NVL"} & {*words.split()}:  # a slice of a GPU; a card of lower clocks
        raise ValueError(f"the peak of {name} isn't known: take it from its data sheet, as peak=")
    for part, peaks in PEAK_FLOPS.items():
        if f" {part.replace('-', ' ')} " in words:
            if dtype in peaks:
                return peaks[dtype]
            raise ValueError(f"the peak of {name} in {dtype} isn't known: give it as peak=")
    raise ValueError(f"the peak of {name} isn't known: take it from its data sheet, as peak=")


def peak_memory(device: torch.device) -> int:
    """The most bytes in use so far: of tensors on a GPU, of the whole process on a CPU.

    On Apple's GPU it is what is in use now: torch keeps no peak there. 0 where the system doesn't
    say.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.current_allocated_memory()
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
