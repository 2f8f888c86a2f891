"""One optimizer step: mixed precision, accumulation and several ranks, with one exact gradient."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dlcourse.training.distributed import current

Batch = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(eq=False)
class Stepper:
    r"""Updates ``model``, on the device it already lives on, from micro-batches ``(x, y)``.

    With :math:`n_i` the number that ``count`` gives for micro-batch :math:`i` and :math:`\ell_i`
    its mean loss, a step follows the gradient of :math:`\sum_i n_i \ell_i / \sum_i n_i` over all
    micro-batches of all ranks: for models without batch norm that of one large batch, ragged and
    padded ones included. Where the loss leaves padding out, so must ``count``: for cross-entropy's
    own mark ``count=lambda y: (y != -100).sum()``.

    A float16 overflow skips the step and the schedule. (An optimizer made with ``fused=True`` skips
    in silence: there the schedule goes on, and nothing waits for the GPU.)

    Sources: Micikevicius et al., *Mixed Precision Training* (ICLR 2018), section 3; Li et al.,
    *PyTorch Distributed* (VLDB 2020), section 3.2, for ``no_sync``. Raises ValueError for settings
    out of range, for an optimizer or a schedule of something else, for a loss of several numbers.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss_fn: Loss  # (output, y) to the mean over what count counts
    _: KW_ONLY
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None  # advanced every step
    count: Callable[[Tensor], int | Tensor] = len  # how many targets of y the mean is over
    max_grad_norm: float | None = None  # longer gradients are shortened to this
    amp_dtype: torch.dtype | None = None  # bfloat16, float16, or None for full precision
    ema_decay: float | None = None  # of the moving average of weights that evaluation uses
    compile: bool = False  # the model is compiled in place: slow first steps, fast ones after

    def __post_init__(self):
        if self.amp_dtype not in (None, torch.bfloat16, torch.float16):
            raise ValueError(f"amp_dtype is bfloat16, float16 or None, not {self.amp_dtype}")
        if self.max_grad_norm is not None and not self.max_grad_norm > 0:
            raise ValueError(f"max_grad_norm is above 0, or None, not {self.max_grad_norm}")
        if self.ema_decay is not None and not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay is at least 0 and below 1, not {self.ema_decay}")
        parameters = {*self.model.parameters()}
        if not any(p in parameters for g in self.optimizer.param_groups for p in g["params"]):
            raise ValueError(
                "none of the optimizer's parameters is the model's: make it from this model's "
                "parameters(), after every change that replaces them"
            )
        if self.scheduler and self.scheduler.optimizer is not self.optimizer:
            raise ValueError("the scheduler is of another optimizer: make it from this one")
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            raise ValueError(
                "ReduceLROnPlateau steps once an epoch, on a validation loss: leave it out here, "
                "and call its step(loss) after evaluate"
            )
        self.device = next(self.model.parameters()).device
        self.ranks = current(self.device)
        self.scaler = torch.GradScaler(self.device.type, enabled=self.amp_dtype is torch.float16)
        # first, since it gives every rank the weights of rank 0, which the average then copies
        self._parallel = DistributedDataParallel(self.model) if self.ranks.world_size > 1 else None
        self.average = None
        if self.ema_decay is not None:
            self._blend = get_ema_multi_avg_fn(self.ema_decay)
            self.average = AveragedModel(self.model)
        if self.compile:
            self.model.compile()
        self.wide = torch.float32 if self.device.type == "mps" else torch.float64  # for sums
        self._norm: Tensor | None = None  # of the last gradient, before clipping
        self._updated = False
        self.optimizer.register_step_post_hook(self._on_update)

    def _on_update(self, *_: Any) -> None:
        self._updated = True  # not reached where the scaler found an overflow

    def update(self, window: list[Batch]) -> tuple[Tensor, bool]:
        """Step once. Returns the loss, on the device, and whether there was a step.

        The loss is this rank's part: the mean of it over the ranks is the window's mean loss. Every
        rank brings equally many micro-batches.
        """
        counts = [self.counted(y) for _, y in window]
        total = sum(counts)
        if self.ranks.world_size > 1:
            total = self.ranks.all_reduce(
                torch.zeros((), dtype=self.wide, device=self.device) + total
            )
        self.optimizer.zero_grad()
        self._updated = False
        scaler = self.scaler if self.scaler.is_enabled() else None  # skip its idle calls
        losses = []
        for i, ((x, y), n) in enumerate(zip(window, counts, strict=True)):
            x, y = self.placed(x, y)
            with self._unsynced(i + 1 < len(window)):
                loss = self._loss(x, y, n)
                if len(window) > 1 or self.ranks.world_size > 1:
                    loss = loss * self._share(n, total, loss.dtype)
                (scaler.scale(loss) if scaler else loss).backward()
            losses.append(loss.detach())
        if scaler:
            scaler.unscale_(self.optimizer)  # clip and measure the true gradient
        self._norm = None
        if self.max_grad_norm is not None:
            parameters = self.model.parameters()
            self._norm = nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
        if scaler:
            scaler.step(self.optimizer)
            scaler.update()
        else:
            self.optimizer.step()
        if self._updated:
            if self.scheduler:
                self.scheduler.step()
            if self.average:
                self._average(self.average)
        return sum(losses[1:], losses[0]), self._updated

    @torch.no_grad()
    def _average(self, average: AveragedModel) -> None:
        """What ``average.update_parameters`` does, which would wait for the GPU at every step."""
        ours: list[Tensor] = [*average.module.parameters()]
        theirs: list[Tensor] = [*self.model.parameters()]
        if average.n_averaged:  # on the CPU
            self._blend(ours, theirs, 0)
        else:
            torch._foreach_copy_(ours, theirs)
        for ours_, theirs_ in zip(average.module.buffers(), self.model.buffers(), strict=True):
            ours_.copy_(theirs_)
        average.n_averaged += 1

    def gradient_norm(self) -> Tensor:
        """Length of the last step's gradient over all parameters, before clipping; a 0-d tensor."""
        if self._norm is None:
            gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
            self._norm = nn.utils.get_total_norm(gradients)
        return self._norm.to(self.device)

    def placed(self, x: Tensor, y: Tensor) -> Batch:
        """The batch on the device, without waiting for it where its memory is pinned."""
        return x.to(self.device, non_blocking=True), y.to(self.device, non_blocking=True)

    def counted(self, y: Tensor) -> int | Tensor:
        """``count(y)``: a number where ``y`` is on the CPU, a tensor where asking would wait."""
        n = self.count(y)
        return n.item() if isinstance(n, Tensor) and n.device.type == "cpu" else n  # type: ignore

    def autocast(self) -> AbstractContextManager:
        """In which the forward pass computes in ``amp_dtype``."""
        if self.amp_dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.amp_dtype)

    def _loss(self, x: Tensor, y: Tensor, n: int | Tensor) -> Tensor:
        """Mean loss of one micro-batch; 0, with gradient 0, where it has nothing to count."""
        with self.autocast():
            output = (self._parallel or self.model)(x)
            if isinstance(n, Tensor):  # whether it is 0 is known on the device alone
                output.register_hook(lambda gradient: gradient.where(n > 0, 0))
                loss = self._scalar_loss(output, y)
                return loss.where(n > 0, torch.zeros_like(loss))
            return self._scalar_loss(output, y) if n else output.sum() * 0

    def _scalar_loss(self, output: Tensor, y: Tensor) -> Tensor:
        loss = self.loss_fn(output, y)
        if loss.ndim:
            raise ValueError(f"loss is of shape {tuple(loss.shape)}, not one number: take its mean")
        return loss

    def _share(self, n: int | Tensor, total: float | Tensor, dtype: torch.dtype) -> Any:
        """What a micro-batch's mean counts for; times the ranks, since DDP takes their mean."""
        if not isinstance(total, Tensor):
            return n / (total or 1)
        return (n * self.ranks.world_size / total.where(total > 0, 1).to(self.wide)).to(dtype)

    def _unsynced(self, more: bool) -> AbstractContextManager:
        """While ``more`` micro-batches follow, ranks keep their gradients to themselves."""
        return self._parallel.no_sync() if self._parallel and more else nullcontext()


def check_batches(window: list) -> None:
    """Raise ValueError for a batch that isn't a pair of tensors."""
    for batch in window:
        if isinstance(batch, tuple | list) and [isinstance(t, Tensor) for t in batch] == [True] * 2:
            continue
        kind = type(batch).__name__
        if isinstance(batch, tuple | list):
            kind += f" of {', '.join(type(each).__name__ for each in batch)}"
        raise ValueError(
            f"a batch is a pair of tensors (x, y), not a {kind}: give Loader a collate_fn that "
            "makes pairs, or map the loader: ((b['x'], b['y']) for b in loader)"
        )
