"""Reference architectures in PyTorch, one a file.

Nothing else is imported here: say ``from dlcourse.models.mlp import MLP``.
"""

try:
    import torch  # noqa: F401  # asked for here, so that its absence is one sentence
except ImportError:
    raise ImportError(
        'dlcourse.models needs torch, which is missing: pip install "dlcourse[torch]"',
        name="torch",
    ) from None
