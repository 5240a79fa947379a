"""Dense neural networks, trained in Rust.

``MLPClassifier`` and ``MLPRegressor`` take the place of scikit-learn's: the same parameters, the same attributes, the same random
numbers, the same results, several times as fast.

>>> from sklearn.datasets import load_iris
>>> from steepest import MLPClassifier
>>> X, y = load_iris(return_X_y=True)
>>> MLPClassifier(max_iter=500, random_state=0).fit(X, y).score(X, y) > 0.95
True
"""

from steepest._classifier import MLPClassifier
from steepest._regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
__version__ = "0.1.0"
