"""What Python and IPython call back while a cell is run: as it was, and what had been changed."""

import __future__

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

LISTS = ("input_transformers_cleanup", "input_transformers_post", "ast_transformers")
TRANSFORMS = ("cleanup_transforms", "line_transforms", "token_transformers")
VALUES = [
    *("ast_node_interactivity", "custom_exceptions", "loop_runner", "displayhook", "display_pub"),
    *("display_formatter", "events", "input_transformer_manager", "InteractiveTB", "user_ns"),
    "user_module",
]
CODE = (type, FunctionType, MethodType, BuiltinFunctionType, partial)
FUTURES = 0
for _name in __future__.all_feature_names:  # `from __future__ import` is nobody's attack
    FUTURES |= getattr(__future__, _name).compiler_flag


class Hooks:
    """Remembers those of the interpreter and of one shell."""

    def __init__(self, shell: Any):
        self.shell = shell
        self.values = {name: getattr(shell, name) for name in VALUES}
        self.own = set(vars(shell))
        manager = shell.input_transformer_manager
        self.lists = [(name, getattr(shell, name)) for name in LISTS]
        self.lists += [(f"input_transformer_manager.{n}", getattr(manager, n)) for n in TRANSFORMS]
        self.lists += [(f"events: {name}", made) for name, made in shell.events.callbacks.items()]
        self.lists += [("gc.callbacks", gc.callbacks), ("sys.meta_path", sys.meta_path)]
        self.lists += [("sys.path_hooks", sys.path_hooks)]
        self.kept = [list(values) for _, values in self.lists]
        self.hooks = sys.displayhook, sys.excepthook
        self.builtins = shell.user_ns["__builtins__"]
        self.flags = FUTURES | shell.compile.flags
        self.depth = sys.getrecursionlimit()

    def restore(self, guard: Any) -> list[str]:
        return [*self._interpreter(), *self._shell(), *self._lists(guard)]

    @contextmanager
    def displaying(self) -> Iterator[None]:
        """``sys.displayhook`` shows values as IPython does, so that a forged one is seen."""
        before = self.hooks
        self.hooks = sys.displayhook, _ = self.shell.displayhook, before[1]
        try:
            yield
        finally:
            self.hooks = sys.displayhook, _ = before

    def _interpreter(self) -> list[str]:
        changed = []
        if sys.gettrace() is not None:
            changed += ["sys.settrace"]
            sys.settrace(None)
        if sys.getprofile() is not None:
            changed += ["sys.setprofile"]
            sys.setprofile(None)
        threading.settrace(None)  # type: ignore[arg-type]
        threading.setprofile(None)
        monitoring: Any = getattr(sys, "monitoring", None)  # Python 3.12
        for tool in range(6) if monitoring else ():
            if monitoring.get_tool(tool) is not None:
                changed += ["sys.monitoring"]
                monitoring.set_events(tool, 0)
                monitoring.free_tool_id(tool)
        if (sys.displayhook, sys.excepthook) != self.hooks:
            changed += ["sys.displayhook or sys.excepthook"]
            sys.displayhook, sys.excepthook = self.hooks
        if sys.getrecursionlimit() < self.depth:
            sys.setrecursionlimit(self.depth)
        return changed

    def _shell(self) -> list[str]:
        changed, shell = [], self.shell
        own = vars(shell)
        for name in [n for n in own if n not in self.own and callable(own[n])]:
            if hasattr(type(shell), name):  # in front of a method of its class
                del own[name]
                changed += [f"get_ipython().{name}"]
        for name, value in self.values.items():
            if getattr(shell, name) is not value:
                setattr(shell, name, value)
                changed += [f"get_ipython().{name}"]
        for name in ("displayhook", "display_pub"):
            kind, part = type(self.values[name]), vars(self.values[name])
            for key in [k for k in part if callable(part[k]) and hasattr(kind, k)]:
                del part[key]
                changed += [f"get_ipython().{name}.{key}"]
        if shell.compile.flags & ~self.flags:
            shell.compile.flags &= self.flags
            changed += ["get_ipython().compile.flags"]
        if shell.user_ns.get("__builtins__") is not self.builtins:
            shell.user_ns["__builtins__"] = self.builtins
            changed += ["__builtins__"]
        return changed

    def _lists(self, guard: Any) -> list[str]:
        """What libraries register stays, what is a learner's own goes."""
        changed = []
        for (name, values), kept in zip(self.lists, self.kept, strict=True):
            old = [id(each) for each in kept]
            added = [each for each in values if id(each) not in old]
            known = [each for each in added if guard.knows(_code(each))]
            if len(known) < len(added) or [id(e) for e in values if id(e) in old] != old:
                changed += [name if name.startswith(("gc", "sys")) else f"get_ipython().{name}"]
            values[:] = [*kept, *known]
        return changed


def _code(value: Any) -> Any:
    """Whose code is run where this is called: its own, or its class's."""
    return value if isinstance(value, CODE) else type(value)
