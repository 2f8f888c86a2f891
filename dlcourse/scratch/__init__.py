"""Reference implementations in NumPy, each with its explicit backward pass. Imports numpy only."""
