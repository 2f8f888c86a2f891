"""A deep learning course: reference code, data, exercises with their checks, and grading."""


def __getattr__(name: str) -> str:
    """``__version__``, which stands in pyproject.toml and nowhere else."""
    if name == "__version__":
        from importlib.metadata import version

        return version("dlcourse")
    raise AttributeError(f"module 'dlcourse' has no attribute {name!r}")
