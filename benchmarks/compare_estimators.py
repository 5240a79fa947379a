"""Times the estimators of the wheel beside scikit-learn's: the same data, the same epochs, in turns, medians.

    pip install . scikit-learn    # in an environment of its own
    python benchmarks/compare_estimators.py --data data/mnist

Each library has a process of its own, which does nothing while the other one works. Without --data the rows on MNIST's pixels are
left out. Memory is what the process has at most during a fit, less what it had before (Linux only).
"""

import argparse
import gzip
import json
import multiprocessing
import platform
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np

STEEPEST, SKLEARN = "steepest", "scikit-learn"


def mnist(folder):
    """Pixels as float64 in 0..1, and the digits."""
    with gzip.open(Path(folder) / "train-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(Path(folder) / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels / 255.0, labels


def dense(_):
    """As many rows and columns as MNIST, without a zero."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60_000, 784))
    return X, (X[:, :10] + 0.1 * rng.standard_normal((60_000, 10))).argmax(axis=1)


def table(_):
    from sklearn.datasets import make_classification

    return make_classification(1_000, 20, n_informative=8, random_state=0)


def text(_):
    """20,000 rows of 10,000 columns, of which 1 % are filled."""
    import scipy.sparse

    X = scipy.sparse.random(20_000, 10_000, 0.01, format="csr", random_state=0)
    return X, np.random.RandomState(0).randint(0, 5, 20_000)


# Name: data, hidden units, epochs, what Steepest is told beside, what must be reached.
FITS = {
    "MNIST (100,)": (mnist, (100,), 10, {}, 3),
    "MNIST (512, 256)": (mnist, (512, 256), 3, {}, 3),
    "dense (100,)": (dense, (100,), 10, {}, 2),
    "dense (512, 256)": (dense, (512, 256), 3, {}, 2),
    "MNIST (100,), f32": (mnist, (100,), 10, {"dtype": "float32"}, 6),
    "MNIST (512, 256), f32": (mnist, (512, 256), 3, {"dtype": "float32"}, 6),
    "dense (100,), f32": (dense, (100,), 10, {"dtype": "float32"}, 4),
    "dense (512, 256), f32": (dense, (512, 256), 3, {"dtype": "float32"}, 4),
    "table (100,)": (table, (100,), 200, {}, 10),
    "sparse (100,)": (text, (100,), 2, {}, 5),
}
PREDICTIONS = {"predict a row of MNIST": (mnist, 10), "predict a row of a table": (table, 10)}


def estimator(library, extras, threads, **parameters):
    if library == SKLEARN:
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(**parameters)
    from steepest import MLPClassifier

    return MLPClassifier(**parameters, **extras, n_jobs=threads)


def work(library, pipe, folder, threads):
    """Runs what it is sent, and sends back seconds and what came of it."""
    warnings.simplefilter("ignore")
    last = None, None
    for name in iter(pipe.recv, None):
        make = FITS[name][0] if name in FITS else PREDICTIONS[name][0]
        if last[0] is not make:
            last = make, make(folder)
        X, y = last[1]
        pipe.send(fit(library, name, X, y, threads) if name in FITS else predict(library, X, y, threads))


def fit(library, name, X, y, threads):
    _, hidden, epochs, extras, _ = FITS[name]
    mlp = estimator(
        library, extras, threads, hidden_layer_sizes=hidden, max_iter=epochs, n_iter_no_change=epochs, random_state=0
    )
    forget_peak()
    before = memory("VmRSS")
    start = time.perf_counter()
    mlp.fit(X, y)
    seconds = time.perf_counter() - start
    more = memory("VmHWM") - before
    return {"seconds": seconds, "loss": float(mlp.loss_), "mebibytes": more, "n_iter": mlp.n_iter_}


def memory(name):
    """Mebibytes of this process, as Linux counts them: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def forget_peak():
    """From here on VmHWM is counted anew."""
    Path("/proc/self/clear_refs").write_text("5")


def predict(library, X, y, threads, times=2_000):
    mlp = estimator(library, {}, threads, max_iter=1, random_state=0).fit(X[:2_000], y[:2_000])
    rows = [X[i : i + 1] for i in range(200)]
    labels = [mlp.predict(row)[0] for row in rows]
    start = time.perf_counter()
    for i in range(times):
        mlp.predict(rows[i % 200])
    return {"seconds": (time.perf_counter() - start) / times, "loss": float(np.sum(np.array(labels, int))), "mebibytes": 0.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with MNIST's IDX files")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", help="only rows whose name has this in it", default="")
    parser.add_argument("--threads", type=int, help="of Steepest; scikit-learn always has all cores")
    parser.add_argument("--save", help="JSON file for the raw runs")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for library in (SKLEARN, STEEPEST):
        pipes[library], theirs = context.Pipe()
        context.Process(target=work, args=(library, theirs, arguments.data, arguments.threads), daemon=True).start()
    print(f"{'':26}{'scikit-learn':>14}{'Steepest':>12}{'times':>8}{'wanted':>8}   losses, and most memory in MiB")
    runs = {}
    for name, row in {**FITS, **PREDICTIONS}.items():
        if arguments.rows not in name or row[0] is mnist and not arguments.data:
            continue
        results = {library: [] for library in pipes}
        # The first turn warms up.
        for turn in range(arguments.repeats + 1):
            for library, pipe in pipes.items():
                pipe.send(name)
                result = pipe.recv()
                if turn:
                    results[library].append(result)
        runs[name] = results
        seconds = {library: statistics.median(r["seconds"] for r in rs) for library, rs in results.items()}
        losses = [results[library][0]["loss"] for library in pipes]
        mebibytes = [statistics.median(r["mebibytes"] for r in results[library]) for library in pipes]
        unit, scale = ("us", 1e6) if name in PREDICTIONS else ("s", 1)
        print(
            f"{name:26}{seconds[SKLEARN] * scale:11.3f} {unit:2}{seconds[STEEPEST] * scale:9.3f} {unit:2}"
            f"{seconds[SKLEARN] / seconds[STEEPEST]:8.1f}{row[-1]:8}   {losses[0]:.9g} {losses[1]:.9g}"
            f"   {mebibytes[0]:.0f} {mebibytes[1]:.0f}",
            flush=True,
        )
    for pipe in pipes.values():
        pipe.send(None)
    if arguments.save:
        machine = {"python": sys.version.split()[0], "machine": platform.machine(), "date": time.strftime("%Y-%m-%d")}
        Path(arguments.save).write_text(json.dumps({"machine": machine, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
