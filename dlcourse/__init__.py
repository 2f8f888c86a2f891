"""A deep learning course: reference code, data, exercises with their checks, and grading."""

__version__ = "0.1.0"
