"""Dense neural networks, trained in Rust.

``MLPClassifier`` and ``MLPRegressor`` take the place of scikit-learn's: the same parameters, the same attributes, the same random
numbers, the same results, several times as fast. ``train`` trains by a recipe as the command line does, ``load`` gives a model
of a file, ``load_data`` a data set by its name.

>>> from sklearn.datasets import load_iris
>>> from steepest import MLPClassifier
>>> X, y = load_iris(return_X_y=True)
>>> MLPClassifier(max_iter=500, random_state=0).fit(X, y).score(X, y) > 0.95
True
"""

from steepest._classifier import MLPClassifier
from steepest._data import Data, load_data
from steepest._model import Model, load
from steepest._regressor import MLPRegressor
from steepest._run import Run, train

__all__ = ["Data", "MLPClassifier", "MLPRegressor", "Model", "Run", "load", "load_data", "train"]
__version__ = "0.1.0"
