"""Rows as the core takes them."""

import numpy as np
import scipy.sparse

from steepest import _core


def rows_of(X):
    """Checked rows for the core: used where they are, if they lie in C order, or in the order of rows if they are sparse."""
    if not scipy.sparse.issparse(X):
        return _core.Rows.dense(np.ascontiguousarray(X))
    indices = np.ascontiguousarray(X.indices, np.int32)
    if X.format == "csr":
        return _core.Rows.csr(X.data, indices, X.indptr.tolist(), X.shape[1])
    return _core.Rows.csc(X.data, indices, X.indptr.tolist(), X.shape[0])
