"""The machinery behind the checks: describing exercises, judging answers, saying what is wrong.

``exercise`` describes, ``values`` compares, ``trial`` judges and recognises, ``verdict`` says it,
``cell`` is what a sheet calls, ``registry`` finds, ``matrix`` checks the checks.
"""
