"""NumPy's random numbers on their way through a fit."""

from contextlib import contextmanager

import numpy as np

from steepest._core import Stream


@contextmanager
def stream_of(random_state):
    """The stream of a ``RandomState``, which afterwards stands where the stream was left.

    Yields an object with an attribute ``stream``, in whose place a later one may be put.
    """
    state = random_state.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        # A RandomState of another generator seeds one: its own numbers are known to NumPy alone.
        seed = random_state.randint(2**32 - 1, dtype=np.uint32)
        state = np.random.RandomState(seed).get_state(legacy=False)
        random_state = None
    words = state["state"]
    draws = Draws(Stream(words["key"], words["pos"]))
    try:
        yield draws
    finally:
        if random_state is not None:
            words["pos"] = draws.stream.state(words["key"])
            random_state.set_state(state)


class Draws:
    """Where the next random number comes from."""

    def __init__(self, stream):
        self.stream = stream
