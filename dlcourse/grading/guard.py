"""What plain asserts rely on, remembered before a learner's code runs and put back before they do.

A cell of asserts runs beside the learner's code, so it is worth what the functions are worth that
it calls. Remembered are those of the modules below: by name, by the code in them, and the methods
of their classes; with ``hooks``, what is called back on the way.

No guard in the same process can stop everything. Code that walks the frames above it, or all that
``gc`` knows, finds this object. A function that is being tested can change a test's own variables
through the frame that called it, patch and mend again within one statement, or add an audit hook,
which Python never lets go. Objects can lie about what they equal: that is seen and said, and costs
nothing by itself, as a sheet may ask for just that. Code written in C can do anything. Who needs
verdicts that can't be forged describes the exercise for ``check``, which judges outside.
"""

import builtins
import sys
from types import FunctionType, ModuleType
from typing import Any

from dlcourse.grading.hooks import Hooks

WATCHED = {"builtins", "math", "cmath", "operator", "functools", "itertools", "copy", "types"}
WATCHED |= {"ast", "traceback", "json", "unittest", "numpy", "dlcourse.grading", "dlcourse.checks"}
WATCHED |= {"IPython.core", "torch.testing"}
ALONE = {"torch", "torch.functional", "torch._tensor", "torch.linalg", "torch.nn.functional"}
FREE = {"print", "input", "exit", "quit", "help", "display"}  # no test relies on these
OWN = {f"dlcourse.grading.{name}" for name in ("asserts", "guard", "hooks", "seeing")}
HEAP = 1 << 9  # the flag of a class that is made at run time, so that its attributes can be set

members = type.__dict__["__dict__"].__get__  # of a class, whatever its metaclass says
parents = type.__dict__["__mro__"].__get__


class Guard:
    """Made in the warm process; ``restore`` says what it found changed, and changes it back."""

    def __init__(self, shell: Any):
        self.names: list[str] = []  # all that was found changed
        self.loaded = sys.modules
        self.path = list(sys.path)
        self.builtins = vars(builtins)
        self.functions: list[tuple] = []
        self.classes: list[tuple] = []
        seen: set[int] = set()
        self.modules = []
        for name, module in sorted(sys.modules.items()):
            if not _watched(name) or type(module) is not ModuleType:
                continue
            free = FREE if module is builtins else ()
            kept = [(k, v) for k, v in vars(module).items() if callable(v) and k not in free]
            self.modules.append((name, module, vars(module), kept))
            for _, value in kept:
                self._inside(value, seen)
        self.modules.sort(key=lambda each: each[0] != "builtins")  # what follows uses these
        self.genuine = {id(module) for module in sys.modules.values()}
        self.kinds = _subclasses(object)
        self.hooks = Hooks(shell)

    def _inside(self, value: Any, seen: set[int]) -> None:
        """What can be changed in a function or class without changing its name's value."""
        if id(value) in seen:
            return
        seen.add(id(value))
        name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        if isinstance(value, FunctionType):
            about = value.__code__, value.__defaults__, value.__kwdefaults__
            self.functions.append((name, value, *about))
        elif isinstance(value, type) and value.__flags__ & HEAP and _watched(value.__module__):
            space = members(value)
            kept = [(k, v) for k, v in space.items() if _is_code(v)]
            self.classes.append((name, value, space, kept, frozenset(space)))
            for _, each in kept:
                self._inside(getattr(each, "__func__", each), seen)
        for inner in ("_implementation", "__wrapped__"):  # behind numpy's dispatchers, decorators
            if isinstance(found := getattr(value, inner, None), FunctionType):
                self._inside(found, seen)

    def restore(self) -> list[str]:
        """The names of what had been changed."""
        changed: list[str] = []
        for name, module, space, kept in self.modules:
            if self.loaded.get(name) is not module and name not in OWN:
                self.loaded[name] = module
                changed += [f"sys.modules[{name!r}]"]
            for key, value in kept:
                if space.get(key) is not value:
                    space[key] = value
                    changed += [f"{name}.{key}"]
        for name, function, code, defaults, named in self.functions:
            if function.__code__ is not code:
                function.__code__ = code
                changed += [name]
            if function.__defaults__ is not defaults or function.__kwdefaults__ is not named:
                function.__defaults__, function.__kwdefaults__ = defaults, named
                changed += [name]
        for name, cls, space, kept, names in self.classes:
            for key, value in kept:
                if space.get(key) is not value:
                    type.__setattr__(cls, key, value)
                    changed += [f"{name}.{key}"]
            if len(space) != len(names):
                changed += [f"{name}.{key}" for key in _shadows(cls, space, names)]
        if sys.modules is not self.loaded:
            sys.modules = self.loaded
            changed += ["sys.modules"]
        sys.path[:] = [*self.path, *(each for each in sys.path if each not in self.path)]
        changed += self.hooks.restore(self)
        self.names += [name for name in changed if name not in self.names]
        return changed

    def knows(self, value: Any) -> bool:
        """Whether a function or class is what its module, one of those installed, has of its name.

        So that what a library registers with IPython is left alone.
        """
        if isinstance(value, type) and value in self.kinds:
            return True
        value = getattr(value, "__func__", value)
        module = self.loaded.get(str(getattr(value, "__module__", "")))
        if module is None or getattr(module, "__name__", "") == "__main__":
            return False
        file = getattr(module, "__file__", None) or ""
        if id(module) not in self.genuine and not file.startswith(tuple(filter(None, self.path))):
            return False
        found: Any = module
        for part in str(getattr(value, "__qualname__", "")).split("."):
            found = getattr(found, part, None)
        return getattr(found, "__func__", found) is value


def _watched(name: str) -> bool:
    return name in ALONE or any(name == each or name.startswith(each + ".") for each in WATCHED)


def _subclasses(cls: type) -> set[type]:
    found, todo = {cls}, [cls]
    while todo:
        new: set[type] = set(type.__subclasses__(todo.pop())) - found
        found |= new
        todo += new
    return found


def _is_code(value: Any) -> bool:
    return callable(value) or isinstance(value, property | staticmethod | classmethod)


def _shadows(cls: type, space: Any, names: frozenset) -> list[str]:
    """Take out what was added to a class in front of what it inherits."""
    new = [key for key in space if key not in names and _is_code(space[key])]
    gone = [key for key in new if any(key in members(base) for base in parents(cls)[1:])]
    for key in gone:
        type.__delattr__(cls, key)
    return gone
