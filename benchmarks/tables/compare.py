"""Accuracy on the tables that come with scikit-learn, beside `MLPClassifier` and `MLPRegressor`.

    pip install scikit-learn pandas
    cargo build --release
    python benchmarks/tables/compare.py --binary target/release/steepest

Each of five seeds splits the rows anew, four fifths to learn from (classes in equal parts), and starts both networks anew. Both
have one hidden layer of 100 ReLU units, Adam with a rate of 0.001, batches of 200, 200 epochs, the same L2 penalty, initial
weights of the same range, and columns standardised by the training rows. `MLPRegressor` is run with its target standardised
as well, as Steepest does, and without. The last column is what `steepest train FILE` makes by itself, which learns from
a tenth less.
"""

import argparse
import json
import subprocess
import tempfile
import warnings
from pathlib import Path
from statistics import mean, stdev

from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SETS = {name: getattr(datasets, f"load_{name}") for name in ["iris", "wine", "breast_cancer", "digits", "diabetes"]}
RECIPE = """
[data]
scale = "standard"
val_split = 0
[network]
hidden = [100]
weights = "glorot-uniform"
[training]
epochs = 200
batch_size = 200
l2 = {l2}
"""


def theirs(name: str, seed: int, train: tuple, test: tuple) -> dict:
    options = {"hidden_layer_sizes": (100,), "max_iter": 200, "n_iter_no_change": 1000, "random_state": seed}
    if name != "diabetes":
        model = make_pipeline(StandardScaler(), MLPClassifier(**options))
        return {"scikit-learn": model.fit(*train).score(*test)}
    plain = make_pipeline(StandardScaler(), MLPRegressor(**options))
    scaled = TransformedTargetRegressor(plain, transformer=StandardScaler())
    return {"scikit-learn": scaled.fit(*train).score(*test), "target as it is": plain.fit(*train).score(*test)}


def ours(binary: Path, folder: Path, name: str, seed: int, n_train: int) -> dict:
    (folder / "same.toml").write_text(RECIPE.format(l2=1e-4 / min(200, n_train)))

    def score(*args: str) -> float:
        target = ["--target", "target", "--test-data", "test.csv", "--seed", str(seed), "--json", "--quiet"]
        done = subprocess.run([binary, "train", *args, *target], cwd=folder, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout)
        return result["test_r2" if name == "diabetes" else "test_accuracy"]

    return {"Steepest": score("same.toml", "--data", "train.csv"), "by itself": score("train.csv")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    binary = args.binary.resolve()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("| table | rows x columns | scikit-learn | Steepest, the same | Steepest, by itself | note |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, load in SETS.items():
        frame = load(as_frame=True).frame
        scores: dict = {}
        for seed in range(args.seeds):
            stratify = None if name == "diabetes" else frame["target"]
            train, test = train_test_split(frame, test_size=0.2, random_state=seed, stratify=stratify)
            with tempfile.TemporaryDirectory() as folder:
                train.to_csv(Path(folder, "train.csv"), index=False)
                test.to_csv(Path(folder, "test.csv"), index=False)
                x = [(part.drop(columns="target").to_numpy(), part["target"].to_numpy()) for part in (train, test)]
                for key, value in (theirs(name, seed, *x) | ours(binary, Path(folder), name, seed, len(train))).items():
                    scores.setdefault(key, []).append(value)
        cell = {key: f"{mean(values):.4f} ± {stdev(values):.4f}" for key, values in scores.items()}
        note = f"R²; with the target as it is, scikit-learn {cell['target as it is']}" if name == "diabetes" else ""
        size = f"{len(frame):,} x {frame.shape[1] - 1}"
        print(f"| {name} | {size} | {cell['scikit-learn']} | {cell['Steepest']} | {cell['by itself']} | {note} |", flush=True)


if __name__ == "__main__":
    main()
