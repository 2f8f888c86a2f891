"""The machinery behind the checks: describing exercises, judging answers, saying what is wrong.

``exercise`` describes, ``observing`` sees what an answer does, by ``shipping`` also in a sandbox,
``values`` compares, ``trial`` judges and recognises, ``verdict`` says it,
``cell`` is what a sheet calls, ``registry`` finds, ``matrix`` checks the checks.
"""
