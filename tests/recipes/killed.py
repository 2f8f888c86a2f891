"""Each recipe run three times on tiny data: undisturbed, killed, resumed. A script.

``python killed.py FOLDER`` prints how each process ended; what the runs left is in
``FOLDER/RECIPE/whole`` and ``FOLDER/RECIPE/cut``. One process imports torch and forks the others.
"""

import os
import signal
import sys
from pathlib import Path

import torch
import torch._dynamo  # an optimizer needs it, and each process would import it anew

from dlcourse.models.gpt import GPTConfig
from dlcourse.recipes import char_gpt, mnist_cnn, running
from dlcourse.training.trainer import Trainer

OPTIONS = {
    "mnist_cnn": ["--epochs", "2", "--batch-size", "16", "--precision", "bf16"],
    "char_gpt": ["--epochs", "2", "--batch-size", "4"],
}


def tiny() -> None:
    """Let both recipes train on a little, saving every 3 steps."""
    running.SAVE_EVERY = 3
    g = torch.Generator().manual_seed(0)

    def part(n):
        y = torch.arange(n) % 10
        return torch.randn(n, 1, 28, 28, generator=g) + y.reshape(-1, 1, 1, 1) / 5, y

    digits = part(100), part(20), part(20)
    mnist_cnn.parts = lambda data: digits
    char_gpt.read = lambda path: "the cat sat on the mat\n" * 40
    real = char_gpt.train

    def train(run, text):
        kinds = len(set(text))
        return real(run, text, GPTConfig(kinds, 16, 1, 2, 16, dropout=0.1))

    char_gpt.train = train


def three_runs(recipe: str, folder: Path) -> None:
    module = {"mnist_cnn": mnist_cnn, "char_gpt": char_gpt}[recipe]
    for out, kill, more in (("whole", 0, []), ("cut", 5, []), ("cut", 0, ["--resume"])):
        child = os.fork()
        if not child:
            if kill:
                _kill_in_step(kill)
            command = [*OPTIONS[recipe], "--out", str(folder / out), *more]
            module.app(command, standalone_mode=False)
            sys.stdout.flush()
            os._exit(0)
        print("ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _kill_in_step(number: int) -> None:
    real, calls = Trainer.update, 0

    def update(self, window):
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, window)

    Trainer.update = update


if __name__ == "__main__":
    torch.set_num_threads(1)
    tiny()
    for name in OPTIONS:
        three_runs(name, Path(sys.argv[1]) / name)
