"""What optimizers remember between calls of ``partial_fit``, and how they end."""

import numpy as np


class Optimizer:
    """The learning rate and the memory of an optimizer; its arithmetic is in Rust.

    ``moments`` is a list of what it remembers: for each number of a parameter a list of arrays, the weights' first, then the
    intercepts'.
    """

    n_moments = 0

    def __init__(self, estimator):
        self.learning_rate_init = estimator.learning_rate_init
        self.learning_rate = float(estimator.learning_rate_init)
        self.t = 0
        parameters = estimator.coefs_ + estimator.intercepts_
        self.moments = [[np.zeros_like(p) for p in parameters] for _ in range(self.n_moments)]

    def pairs(self):
        """Of each moment the arrays for weights and for intercepts."""
        return [(moment[: len(moment) // 2], moment[len(moment) // 2 :]) for moment in self.moments]

    def iteration_ends(self, time_step):
        """After an epoch, when ``time_step`` rows were seen in all."""

    def trigger_stopping(self, message, verbose):
        """Whether training ends when it no longer gets better."""
        if verbose:
            print(message + " Stopping.")
        return True


class SGDOptimizer(Optimizer):
    """Gradient descent with scikit-learn's schedules."""

    def __init__(self, estimator):
        self.n_moments = int(estimator.momentum > 0)
        super().__init__(estimator)
        self.lr_schedule = estimator.learning_rate
        self.momentum = estimator.momentum
        self.nesterov = estimator.nesterovs_momentum
        self.power_t = estimator.power_t

    @property
    def velocities(self):
        """The last steps, as scikit-learn keeps them: what was added to the parameters."""
        return [-v for v in self.moments[0]] if self.moments else []

    def iteration_ends(self, time_step):
        if self.lr_schedule == "invscaling":
            self.learning_rate = float(self.learning_rate_init) / (time_step + 1) ** self.power_t

    def trigger_stopping(self, message, verbose):
        if self.lr_schedule != "adaptive":
            return super().trigger_stopping(message, verbose)
        if self.learning_rate <= 1e-6:
            if verbose:
                print(message + " Learning rate too small. Stopping.")
            return True
        self.learning_rate /= 5.0
        if verbose:
            print(message + " Setting learning rate to %f" % self.learning_rate)
        return False


class AdamOptimizer(Optimizer):
    """Adam, and AdamW."""

    n_moments = 2

    def __init__(self, estimator):
        super().__init__(estimator)
        self.beta_1 = estimator.beta_1
        self.beta_2 = estimator.beta_2
        self.epsilon = estimator.epsilon

    @property
    def ms(self):
        """Means of the gradients."""
        return self.moments[0]

    @property
    def vs(self):
        """Means of the squared gradients."""
        return self.moments[1]
