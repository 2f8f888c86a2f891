"""Real data sets as NumPy arrays, each with where it comes from. One file a data set.

Nothing is imported here: a chapter that uses one data set doesn't depend on the others.
"""
