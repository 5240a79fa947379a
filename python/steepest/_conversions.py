"""scikit-learn's estimators as ours, and ours as scikit-learn's."""

from copy import deepcopy
from typing import Self

import numpy as np
import sklearn.neural_network
from sklearn.neural_network import _stochastic_optimizers as theirs
from sklearn.utils.validation import check_is_fitted

from steepest._optimizers import AdamOptimizer, SGDOptimizer


class ConversionSupport:
    """``from_sklearn`` and ``to_sklearn``."""

    @classmethod
    def from_sklearn(cls, estimator) -> Self:
        """An estimator that predicts, and goes on with ``partial_fit``, as a fitted one of scikit-learn.

        Parameters
        ----------
        estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
            scikit-learn's estimator of the same name. It is copied with all attributes and its optimizer's memory, which is
            rounded to the precision of the weights.

        Returns
        -------
        estimator : object
            The estimator.
        """
        wanted = getattr(sklearn.neural_network, cls.__name__)
        if not isinstance(estimator, wanted):
            raise TypeError(
                f"{cls.__name__}.from_sklearn takes scikit-learn's {cls.__name__}, not {type(estimator).__name__}"
            )
        check_is_fitted(estimator)
        new = cls()
        vars(new).update(deepcopy({name: value for name, value in vars(estimator).items() if name != "_optimizer"}))
        optimizer = getattr(estimator, "_optimizer", None)
        if optimizer is not None:
            is_sgd = isinstance(optimizer, theirs.SGDOptimizer)
            moments = [[-v for v in optimizer.velocities]] if is_sgd else [optimizer.ms, optimizer.vs]
            new._optimizer = (SGDOptimizer if is_sgd else AdamOptimizer)(new)
            # Theirs does not count the steps of SGD, nor does it matter how many there were.
            new._optimizer.t = 1 if is_sgd else optimizer.t
            new._optimizer.learning_rate = optimizer.learning_rate if is_sgd else float(estimator.learning_rate_init)
            parameters = new.coefs_ + new.intercepts_
            new._optimizer.moments = [
                [np.array(m, p.dtype, order="C") for m, p in zip(moment, parameters)]
                for moment in moments[: len(new._optimizer.moments)]
            ]
        new._make_network()
        return new

    def to_sklearn(self):
        """scikit-learn's estimator of the same name, which predicts, and goes on with ``partial_fit``, as this one.

        Returns
        -------
        estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
            A copy with all attributes and the optimizer's memory. What scikit-learn's estimator does not have must be off, but for
            ``n_jobs``, which changes no result.
        """
        check_is_fitted(self)
        wanted = getattr(sklearn.neural_network, type(self).__name__)
        known = wanted._get_param_names()
        ours, defaults = self.get_params(deep=False), type(self)().get_params(deep=False)
        unused = {"n_jobs"} | ({"weight_decay"} if self.solver != "adamw" else set())
        beyond = {name for name in ours if name not in known and name not in unused and ours[name] != defaults[name]}
        beyond |= {name for name in ("activation", "solver", "learning_rate") if ours[name] in _NOT_THEIRS}
        if beyond:
            what = ", ".join(f"{name}={ours[name]!r}" for name in sorted(beyond))
            raise ValueError(f"scikit-learn's {wanted.__name__} has nothing like {what}")
        new = wanted(**{name: ours[name] for name in known})
        dropped = {"_optimizer", "_network", *ours} - set(known)
        vars(new).update(deepcopy({name: value for name, value in vars(self).items() if name not in dropped}))
        optimizer = getattr(self, "_optimizer", None)
        if optimizer is not None:
            new._optimizer = self._theirs(optimizer)
        return new

    def _theirs(self, optimizer):
        """The optimizer as scikit-learn keeps it."""
        parameters = self.coefs_ + self.intercepts_
        if isinstance(optimizer, SGDOptimizer):
            new = theirs.SGDOptimizer(
                parameters,
                self.learning_rate_init,
                self.learning_rate,
                self.momentum,
                self.nesterovs_momentum,
                self.power_t,
            )
            new.learning_rate = optimizer.learning_rate
            new.velocities = optimizer.velocities or new.velocities
            return new
        new = theirs.AdamOptimizer(parameters, self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        new.t, new.ms, new.vs = optimizer.t, deepcopy(optimizer.ms), deepcopy(optimizer.vs)
        return new


_NOT_THEIRS = {"leaky-relu", "gelu", "adamw", "cosine", "exponential", "one-cycle", "step"}
