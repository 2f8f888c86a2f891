"""Training on GPUs and CPUs, exact enough for a week's run. One idea a file, PyTorch throughout.

Nothing else is imported here: say ``from dlcourse.training.trainer import Trainer``.
"""

try:
    import torch  # noqa: F401  # asked for here, so that its absence is one sentence
except ImportError:
    raise ImportError(
        'dlcourse.training needs torch, which is missing: pip install "dlcourse[torch]"',
        name="torch",
    ) from None
