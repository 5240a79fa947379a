"""Set-up of the tests.

`STEEPEST_STAND_IN=1 pytest python/tests` checks the tests themselves: scikit-learn's own classes stand in
for ours, everything must pass, and the tests of what only steepest has are skipped.
"""

import os
import sys
import types

import pytest

STAND_IN = bool(os.environ.get("STEEPEST_STAND_IN"))

if STAND_IN:
    import sklearn.neural_network

    steepest = types.ModuleType("steepest")
    steepest.MLPClassifier = sklearn.neural_network.MLPClassifier
    steepest.MLPRegressor = sklearn.neural_network.MLPRegressor
    sys.modules["steepest"] = steepest


def pytest_configure(config):
    config.addinivalue_line("markers", "steepest_only: tests what scikit-learn's classes do not have")


def pytest_collection_modifyitems(items):
    if STAND_IN:
        skip = pytest.mark.skip(reason="scikit-learn stands in for steepest")
        for item in items:
            if "steepest_only" in item.keywords:
                item.add_marker(skip)


@pytest.fixture
def global_random_seed():
    """The seed that scikit-learn's own tests ask for; 42 is its default."""
    return 42
