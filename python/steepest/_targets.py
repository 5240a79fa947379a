"""What is to be learnt, as the core takes it."""

import numpy as np


class Classes:
    """One class a row: ``labels`` are numbers below ``n_classes``.

    Up to two classes share one output, which says how probable the second one is; unless each is to have its own.
    """

    is_single = False

    def __init__(self, labels, n_classes, one_each=False):
        self.labels = np.ascontiguousarray(labels, np.uint32)
        self.n_classes = n_classes
        self.one_each = one_each
        self.n_outputs = n_classes if n_classes > 2 or one_each else 1

    def add_to(self, rows):
        """The rows with these targets."""
        return rows.with_classes(self.labels, max(self.n_classes, 2))

    def select(self, rows):
        """Those of some rows."""
        return Classes(self.labels[rows], self.n_classes, self.one_each)

    def are_right(self, values):
        """Which rows are predicted correctly."""
        predicted = values[:, 0] > 0.5 if self.n_outputs == 1 else values.argmax(axis=1)
        return predicted == self.labels


class Numbers:
    """Numbers ``(n_samples, n_outputs)``: for regression, or 0 and 1 where a row may have several labels."""

    labels = None

    def __init__(self, values):
        self.is_single = values.dtype == np.float32
        self.values = np.ascontiguousarray(values.reshape(len(values), -1), np.float64)
        self.n_outputs = self.values.shape[1]

    def add_to(self, rows):
        """The rows with these targets."""
        return rows.with_values(self.values)

    def select(self, rows):
        """Those of some rows."""
        return Numbers(self.values[rows])

    def are_right(self, values):
        """Which rows have all labels predicted correctly."""
        return ((values > 0.5) == (self.values > 0.5)).all(axis=1)
