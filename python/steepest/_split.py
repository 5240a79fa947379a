"""Rows that early stopping holds out: those of scikit-learn's ``train_test_split``, with its messages."""

from math import ceil

import numpy as np


def split_rows(stream, n_samples, fraction, labels):
    """Numbers of the rows to learn from, and of those held out.

    ``labels`` has the class of each row, 0 or 1, where both parts are to have as many of each class as all rows; else None.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"test_size={fraction} should be either positive and smaller than the number of samples "
            f"{n_samples} or a float in the (0, 1) range"
        )
    n_validation = ceil(fraction * n_samples)
    n_train = n_samples - n_validation
    if n_train == 0:
        raise ValueError(
            f"With n_samples={n_samples}, test_size={fraction} and train_size=None, the resulting train set will "
            "be empty. Adjust any of the aforementioned parameters."
        )
    if labels is None:
        return stream.split(n_samples, n_validation)
    present, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    few = [str(bool(label)) for label in present[counts < 2]]
    if few:
        raise ValueError(
            "The least populated classes in y have only 1 member, which is too few. The minimum number of groups "
            f"for any class cannot be less than 2. Classes with too few members are: {few}"
        )
    for name, size in ("train", n_train), ("test", n_validation):
        if size < len(present):
            raise ValueError(
                f"The {name}_size = {size} should be greater or equal to the number of classes = {len(present)}"
            )
    return stream.split(n_samples, n_validation, labels.astype(np.uint32), len(present))
