"""How fast a model trains, as a share of what the device could do, and where the time goes."""

import copy
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dlcourse.training.devices import peak_flops
from dlcourse.training.errors import require_int


def model_flops(model: nn.Module, x: Tensor) -> int:
    """Floating point operations of one forward and backward pass of ``model`` on the batch ``x``.

    A multiplication and the addition after it are two. Counted are matrix products, convolutions
    and attention; what goes entry by entry is left out, as is customary. It runs a copy of the
    model: the model itself, its gradients and its random numbers stay as they are.
    """
    twin = copy.deepcopy(model)
    with torch.random.fork_rng([x.device] if x.device.type == "cuda" else []):
        # attention as plain matrix products: its fused kernels on the CPU aren't counted
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            twin(x).sum().backward()
    return counter.get_total_flops()


def utilization(
    flops: float, seconds: float, *, dtype: torch.dtype, peak: float | None = None
) -> float:
    r"""Model FLOPs utilisation, :math:`F / (t P)`: a share of the peak, from 0 to 1.

    ``flops`` :math:`F` is what :func:`model_flops` counts in the batches of ``seconds`` :math:`t`,
    ``peak`` :math:`P` the device's FLOP/s in ``dtype``: of this machine's first GPU if it isn't
    given. Recomputed activations count for nothing. Raises ValueError for a device whose peak isn't
    known, for times and peaks that aren't positive, and for what isn't finite.

    Source: Chowdhery et al., *PaLM: Scaling Language Modeling with Pathways* (2022), appendix B.
    """
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds must be positive and finite, not {seconds}")
    if not 0 <= flops < math.inf:
        raise ValueError(f"flops must be at least 0 and finite, not {flops}")
    if peak is None:
        if not torch.cuda.is_available():
            raise ValueError(
                "the peak of this device isn't known: measure it, and give it as peak="
            )
        peak = peak_flops(torch.cuda.get_device_name(), dtype)
    if not 0 < peak < math.inf:
        raise ValueError(f"peak must be positive and finite, not {peak}")
    return flops / (seconds * peak)


@contextmanager
def profiled(
    optimizer: torch.optim.Optimizer,
    path: str | os.PathLike,
    *,
    skip: int = 5,
    steps: int = 3,
) -> Iterator[torch.profiler.profile]:
    """Record ``steps`` steps of ``optimizer``, after the first ``skip``, to the trace ``path``.

    The trace opens in a browser's Perfetto or ``chrome://tracing``. Raises ValueError for less than
    a step, or where fewer steps than these happened, which leaves no trace.
    """
    require_int("skip", skip)
    require_int("steps", steps)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    recorder = torch.profiler.profile(
        schedule=torch.profiler.schedule(wait=skip - 1, warmup=1, active=steps, repeat=1),
        on_trace_ready=lambda done: done.export_chrome_trace(str(path)),
        record_shapes=True,
    )
    hook = optimizer.register_step_post_hook(lambda *_: recorder.step())
    try:
        with recorder:
            yield recorder
    finally:
        hook.remove()
    if not path.exists():
        raise ValueError(f"there were fewer than {skip} + {steps} steps: nothing was recorded")
