"""Predictions from ``coefs_`` and ``intercepts_`` as they are."""

import numpy as np

from steepest import _core
from steepest._rows import rows_of
from steepest._threads import thread_count


class Prediction:
    """The way from rows to the numbers of the last layer; a short one for rows that need no checks."""

    def _values(self, X):
        """Predictions ``(n_samples, n_outputs)`` of checked rows of any type, of the type that NumPy's product would have."""
        coefs, intercepts = self.coefs_, self.intercepts_
        wanted = coefs[0].dtype if self.dtype is not None else np.result_type(X.dtype, coefs[0].dtype)
        dtype = wanted if wanted in (np.float32, np.float64) else np.dtype(np.float64)
        coefs = [np.ascontiguousarray(c, dtype) for c in coefs]
        intercepts = [np.ascontiguousarray(i, dtype) for i in intercepts]
        network = _core.Network(
            coefs, intercepts, self.activation, self.out_activation_, thread_count(self.n_jobs)
        )
        out = np.empty((X.shape[0], intercepts[-1].shape[0]), dtype)
        network.values(rows_of(X.astype(dtype, copy=False)), out)
        return out.astype(wanted, copy=False)

    def _quick_values(self, X):
        """The same of rows that need no checks, or None where there are some to be made."""
        network = self._quick_network(X)
        if network is None:
            return None
        out = np.empty((X.shape[0], self.n_outputs_), X.dtype)
        is_done = network.quick_values(X, self.coefs_, self.intercepts_, self.activation, out)
        return out if is_done else None

    def _quick_network(self, X):
        """The network as it was at the end of the fit, for arrays without names."""
        if type(X) is np.ndarray and X.ndim == 2 and "feature_names_in_" not in self.__dict__:
            return self.__dict__.get("_network")
        return None

    def _make_network(self):
        """Prepares single predictions, which look at the arrays where they are."""
        self._network = _core.Network(
            self.coefs_, self.intercepts_, self.activation, self.out_activation_, thread_count(self.n_jobs)
        )

    def __getstate__(self):
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_network"}

    def __setstate__(self, state):
        super().__setstate__(state)
        if "coefs_" in self.__dict__:
            self._make_network()
