"""scikit-learn's checks of every estimator: its own perceptrons pass all of them, and so must ours."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import steepest

# With shuffled batches a weight of 2 is not the same as a sample given twice. scikit-learn checks its classes with
# parameters for which it is; for classes of others it cannot know them, so test_sample_weight_equivalence does.
SHUFFLED = {"check_sample_weight_equivalence_on_dense_data": "shuffled batches"}


@parametrize_with_checks(
    [steepest.MLPClassifier(max_iter=100), steepest.MLPRegressor(max_iter=100)],
    expected_failed_checks=lambda estimator: SHUFFLED,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [
    steepest.MLPClassifier(max_iter=100, solver="lbfgs"),
    steepest.MLPRegressor(max_iter=100, solver="sgd", tol=1e-2, random_state=42),
], ids=repr)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sample_weight_equivalence(estimator):
    """With scikit-learn's parameters for this check (its instance_generator.py)."""
    name = type(estimator).__name__
    estimator_checks.check_sample_weight_equivalence_on_dense_data(name, estimator)
