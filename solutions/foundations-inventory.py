# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Foundations: what do you know already?
#
# Twenty-five questions about the nine units of the first part, for before it and for after it. Each
# has four choices: one is right, and three are what people believe who have met the subject and
# misunderstood it.
#
# **How it works.** Replace each `raise NotImplementedError()` with your letter, run the cell, then
# the one below it. It says that your choice is noted, not whether it is right. Choose what seems
# likeliest where you don't know, and look nothing up: nothing depends on your result but what you
# and your class will look at more closely.
