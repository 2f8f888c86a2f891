import math

import numpy as np
import pytest

from dlcourse.checks import check
from dlcourse.checks.core import registry
from dlcourse.checks.core.forbidden import used

FORBIDS = ("sklearn", "torch", "dlcourse.scratch")


def defined(source, name="f"):
    """What a notebook that holds ``source`` calls ``name``."""
    scope = {"__name__": "__main__"}
    exec(source, scope)
    return scope[name]


USES = {
    "an import inside": "def f(x):\n    import torch\n    return torch.relu(x)",
    "a module": "import torch as t\ndef f(x): return t.relu(x)",
    "one of its modules": "from torch.nn import functional as F\ndef f(x): return F.relu(x)",
    "a function out of it": "from torch import relu\ndef f(x): return relu(x)",
    "one written in Python": "from torch.nn.functional import relu\ndef f(x): return relu(x)",
    "a helper of one's own": "import torch\ndef g(x): return torch.relu(x)\ndef f(x): return g(x)",
    "a lambda inside": "import torch\ndef f(x): return (lambda y: torch.relu(y))(x)",
    "a method": "import torch\nclass f:\n    def go(self, x): return torch.relu(x)",
    "a static method": "import torch\nclass f:\n    @staticmethod\n    def go(x): return torch.e",
    "a property": "import torch\nclass f:\n    @property\n    def e(self): return torch.e",
    "what is out of it": "from torch.optim import SGD as f",
    "a base class": "from torch import nn\nclass f(nn.Module): pass",
}


@pytest.mark.parametrize("source", USES.values(), ids=USES)
def test_what_the_sheet_does_without_is_found(source):
    assert used(defined(source), FORBIDS) == ["torch"]


def test_a_module_below_it_is_meant_too_and_one_that_only_begins_like_it_is_not():
    source = "from dlcourse.scratch.layers import Linear\ndef f(x): return Linear(1, 2).forward(x)"
    assert used(defined(source), FORBIDS) == ["dlcourse.scratch"]
    assert used(defined(source), ("dlcourse.scratch.lay",)) == []


def test_functions_that_call_each_other_are_looked_at_once():
    assert used(defined("def g(x): return f(x)\ndef f(x): return g(x)"), FORBIDS) == []


@pytest.mark.parametrize("answer", [None, 3.0, np.zeros(2), "torch", math.sqrt, object()])
def test_what_has_no_code_uses_nothing(answer):
    assert used(answer, FORBIDS) == []


@pytest.mark.parametrize("slug", registry.units())
def test_no_answer_that_earns_everything_uses_it(slug):
    for exercise in registry.unit(slug).exercises.values():
        for name in ("reference", *exercise.alternatives):
            assert used(exercise.from_source(name), exercise.forbids) == [], exercise.name


def test_a_learner_is_told_and_keeps_the_verdict(capsys):
    forward = "import torch\ndef f(x, weight, bias): return x @ weight + torch.e, x[:, 0] > 0"
    with pytest.raises(AssertionError):
        check("neuron_forward", defined(forward))
    assert "uses torch. This sheet is graded without" in capsys.readouterr().out
