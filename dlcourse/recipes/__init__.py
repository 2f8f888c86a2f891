"""Programs one runs, ``python -m dlcourse.recipes.NAME``: longer trainings and recorded runs."""
