"""A class of notebooks through nbgrader: release, grade, feedback, report, export."""
