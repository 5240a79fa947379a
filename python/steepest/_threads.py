"""How many threads an estimator works with."""

import os
from functools import cache


def thread_count(n_jobs):
    """``n_jobs`` as in scikit-learn, where None is as many as the BLAS of NumPy would take: ``OMP_NUM_THREADS``, else all cores."""
    if n_jobs is None:
        limit = os.environ.get("OMP_NUM_THREADS", "")
        return min(int(limit), cores()) if limit.isdigit() and int(limit) > 0 else cores()
    return n_jobs if n_jobs > 0 else max(1, cores() + 1 + n_jobs)


@cache
def cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
