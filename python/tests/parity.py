"""Hunts for differences between our estimators and scikit-learn's.

    python python/tests/parity.py [--count 200] [--seed 0] [--tol 1e-6] [--only 17]

Draws settings (parameters, kind and size of data, seed), fits both, and prints for each the largest relative
difference and where it is. A setting that scikit-learn itself does not reproduce to `tol`, when X is changed by
1e-15 of itself, is chaotic: it says nothing about us and is counted apart. The status is 1 if a difference is left.
"""

import argparse
import time

import numpy as np
import scipy.sparse as sp
from sklearn import datasets

import conftest  # noqa: F401  puts scikit-learn in our place if STEEPEST_STAND_IN is set
from compare import OURS, THEIRS, outcome, results


def choose(rng, *options):
    return options[rng.randint(len(options))]


def draw_data(rng):
    """(kind of estimator, X, y), described by a short name."""
    n, d, seed = int(rng.randint(4, 250)), int(rng.randint(1, 15)), int(rng.randint(1000))
    name = choose(rng, "binary", "binary", "classes", "classes", "multilabel", "words", "one", "several", "counts")
    r = np.random.RandomState(seed)
    X = r.normal(size=(n, d)) * choose(rng, 1.0, 1.0, 1.0, 0.01, 10.0, 255.0)
    signal = X @ r.normal(size=(d, 5)) / (np.abs(X).max() + 1e-9)
    if name == "binary":
        y = (signal[:, 0] > 0).astype(int)
    elif name == "classes":
        y = signal[:, :4].argmax(axis=1)
    elif name == "words":
        y = np.array(["x", "yy", "zzz"])[signal[:, :3].argmax(axis=1)]
    elif name == "multilabel":
        X, y = datasets.make_multilabel_classification(n, max(d, 2), n_classes=3, random_state=seed)
    elif name == "one":
        y = signal[:, 0]
    elif name == "several":
        y = signal[:, :3] * 3
    else:
        y = r.poisson(np.exp(signal[:, 0]))
    if rng.uniform() < 0.1:
        X = np.where(r.uniform(size=X.shape) < 0.3, X, 0)
    kind = "Regressor" if name in ("one", "several", "counts") else "Classifier"
    return f"{name} {X.shape[0]}x{X.shape[1]}", kind, X, y


def draw_parameters(rng, name):
    solver = choose(rng, "sgd", "adam", "adam")
    p = {
        "solver": solver,
        "hidden_layer_sizes": choose(rng, (), 1, (3,), (10,), (25,), (8, 5), (6, 6, 6), (70,)),
        "activation": choose(rng, "identity", "logistic", "tanh", "relu", "relu"),
        "alpha": choose(rng, 0, 1e-4, 1e-4, 0.01, 1.0, 30.0),
        "batch_size": choose(rng, "auto", "auto", 1, 2, 7, 32, 500),
        "learning_rate_init": choose(rng, 1e-4, 0.001, 0.001, 0.01, 0.05),
        "max_iter": int(rng.randint(1, 25)),
        "shuffle": rng.uniform() < 0.8,
        "random_state": int(rng.randint(2**31)),
        "tol": choose(rng, 0, 1e-4, 1e-4, 0.01, 0.5),
        "n_iter_no_change": choose(rng, 1, 2, 5, 10, np.inf),
        "early_stopping": rng.uniform() < 0.3,
        "validation_fraction": choose(rng, 0.1, 0.2, 0.5),
        "warm_start": rng.uniform() < 0.2,
    }
    if solver == "sgd":
        p["learning_rate"] = choose(rng, "constant", "invscaling", "adaptive")
        p["power_t"] = choose(rng, 0.5, 0.1, 0)
        p["momentum"] = choose(rng, 0, 0.5, 0.9, 0.9)
        p["nesterovs_momentum"] = bool(rng.randint(2))
    else:
        p["beta_1"] = choose(rng, 0, 0.5, 0.9, 0.9)
        p["beta_2"] = choose(rng, 0, 0.9, 0.999, 0.999)
        p["epsilon"] = choose(rng, 1e-8, 1e-8, 1e-4, 0.1)
    if name.startswith("counts"):
        p["loss"] = "poisson"
    return p


def draw_course(rng, y):
    """What is called: fit once or twice, or partial_fit of parts, with or without weights, dense or sparse."""
    n = len(y)
    w = rng.uniform(0.1, 3, n) * (rng.uniform(size=n) < 0.9) if rng.uniform() < 0.3 else None
    return {
        "calls": choose(rng, "fit", "fit", "fit", "fit fit", "partial", "fit partial"),
        "weights": w,
        "sparse": rng.uniform() < 0.15,
        "cuts": [int(c) for c in rng.randint(1, n, 3)],
    }


def run(library, kind, parameters, X, y, course):
    """The results of the setting by name; or the exception, as text."""
    def action(library):
        est = getattr(library, kind)(**parameters)
        given = sp.csr_matrix(X) if course["sparse"] else X
        w = course["weights"]
        for call in course["calls"].split():
            if call == "fit":
                est.fit(given, y, sample_weight=w)
                continue
            classes = {"classes": np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])} if kind == "Classifier" else {}
            for cut in course["cuts"]:
                est.partial_fit(given[:cut], y[:cut], sample_weight=None if w is None else w[:cut], **classes)
        found.update(results(est, given, y))

    found = {}
    said = outcome(action, library)
    return found or {"error": f"{said.error.__name__}: {said.text}"}, said.warnings


def numbers(value):
    """Everything numeric in a result, as one array; None if it is not numeric."""
    if value is None or isinstance(value, str):
        return None
    parts = value if isinstance(value, list) else [value]
    arrays = [np.asarray(part).ravel() for part in parts]
    if any(a.dtype.kind not in "fiub" for a in arrays):
        return None
    return np.concatenate([a.astype(float) for a in arrays]) if arrays else np.empty(0)


def differences(ours, theirs):
    """By name: the largest |a - b| / max(1, |b|); infinite where the form differs."""
    found = {}
    for name in ours.keys() | theirs.keys():
        a, b = ours.get(name), theirs.get(name)
        x, y = numbers(a), numbers(b)
        if x is None or y is None:
            found[name] = 0.0 if np.array_equal(a, b) else np.inf
        elif x.shape != y.shape or (np.isnan(x) != np.isnan(y)).any():
            found[name] = np.inf
        else:
            with np.errstate(invalid="ignore"):
                gap = np.where(x == y, 0, np.abs(x - y) / np.maximum(1, np.abs(y)))
            found[name] = float(np.nanmax(gap, initial=0))
    return found


def worst(found):
    name = max(found, key=found.get)
    return found[name], name


def sensitivity(kind, parameters, X, y, course, reference):
    """How far scikit-learn goes from itself when X changes by rounding, at worst of three changes."""
    rng, gaps = np.random.RandomState(0), []
    for _ in range(3):
        near = X * (1 + 1e-15 * rng.uniform(-1, 1, X.shape))
        gaps.append(worst(differences(run(THEIRS, kind, parameters, near, y, course)[0], reference))[0])
    return max(gaps)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="settings to draw")
    parser.add_argument("--seed", type=int, default=0, help="of the first setting; the next has the next seed")
    parser.add_argument("--tol", type=float, default=1e-6, help="a larger relative difference is reported")
    parser.add_argument("--only", type=int, help="run this one seed, and print everything about it")
    parser.add_argument("--quiet", action="store_true", help="print only what differs, and the summary")
    options = parser.parse_args()

    seeds = [options.only] if options.only is not None else range(options.seed, options.seed + options.count)
    same, chaotic, different, gap_of_same = 0, [], [], 0.0
    start = time.perf_counter()
    for seed in seeds:
        rng = np.random.RandomState(seed)
        name, kind, X, y = draw_data(rng)
        parameters, course = draw_parameters(rng, name), draw_course(rng, y)
        if "partial" in course["calls"] and rng.uniform() < 0.9:
            parameters["early_stopping"] = False  # partial_fit refuses it
        theirs, their_warnings = run(THEIRS, kind, parameters, X, y, course)
        ours, our_warnings = run(OURS, kind, parameters, X, y, course)
        found = differences(ours, theirs)
        if our_warnings != their_warnings:
            found["warnings"] = np.inf
        gap, where = worst(found)
        verdict = "same"
        if gap <= options.tol:
            same, gap_of_same = same + 1, max(gap, gap_of_same)
        elif sensitivity(kind, parameters, X, y, course, theirs) > options.tol:
            chaotic.append(seed)
            verdict = "chaotic"
        else:
            different.append(seed)
            verdict = "DIFFERENT"
        if not options.quiet or verdict == "DIFFERENT":
            called = course["calls"] + (" weighted" * (course["weights"] is not None)) + " sparse" * course["sparse"]
            failed = f" ({theirs['error'][:60]})" if "error" in theirs else ""
            print(f"{seed:6d} {verdict:9s} {gap:8.1e} {where:24s} {kind} {name}, {called}{failed}", flush=True)
        if verdict == "DIFFERENT" or options.only is not None:
            print("      ", parameters)
            print("      ", {key: f"{value:.1e}" for key, value in sorted(found.items()) if value > 0})
            if "error" in ours or "error" in theirs:
                print("       ours:", ours.get("error"), "| theirs:", theirs.get("error"))
    print(f"{len(seeds)} settings in {time.perf_counter() - start:.0f} s: {same} the same (to {gap_of_same:.1e}), "
          f"{len(chaotic)} chaotic, {len(different)} different {different}")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
