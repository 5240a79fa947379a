"""Writes what scikit-learn makes of a table: `people.csv`, and `encoded.json` with a matrix for each case.

    pip install scikit-learn pandas
    python benchmarks/tables/make_golden.py

A case has keys of a recipe's [data], and the rows that `SimpleImputer`, `StandardScaler` and `OneHotEncoder` make of the table,
fitted to all rows but the first `HELD_OUT`. Steepest's test is crates/steepest-io/tests/table.rs.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

FOLDER = Path(__file__).parent
HELD_OUT = 15
NUMBERS, FLAGS, TEXTS = ["age", "height", "constant", "far", "tiny"], ["member"], ["city", "job, or none", "grade"]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n = 80
    frame = pd.DataFrame({
        "age": rng.integers(18, 90, n).astype(float),
        "city": rng.choice(["Oslo", "Rome", "Århus", "New York, NY", 'La "Paz"', "rome"], n, p=[0.3, 0.3, 0.15, 0.15, 0.05, 0.05]),
        "height": rng.normal(170, 12, n).round(1),
        "job, or none": rng.choice(["baker", "clerk", "nurse", "teacher", "zoologist"], n),
        "constant": 5.0,
        "member": rng.choice([True, False], n).astype(object),
        "far": 1e8 + rng.normal(0, 1, n).round(3),
        "grade": rng.choice(list("ABCDEFGHIJ"), n, p=np.arange(10, 0, -1) / 55),
        "tiny": rng.normal(0, 1e-9, n),
        "income": rng.normal(50_000, 9000, n).round(2),
    })
    # Seen in held-out rows alone.
    frame.loc[2, "city"] = "Quito"
    for column in ["age", "height", "far", "city", "grade", "member"]:
        frame.loc[rng.choice(n, 7, replace=False), column] = None
    return frame


def encoder(missing: bool, **limits: int) -> ColumnTransformer:
    def steps(strategy: str, last: object) -> object:
        return make_pipeline(SimpleImputer(strategy=strategy, missing_values=np.nan), last) if missing else last

    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False, **limits)
    # As pandas reads it, a flag that may be missing is an object.
    as_number = FunctionTransformer(lambda x: np.asarray(x, dtype=float))
    return ColumnTransformer([
        ("numbers", steps("mean", StandardScaler()), NUMBERS),
        ("flags", steps("most_frequent", as_number), FLAGS),
        ("texts", steps("most_frequent", one_hot), TEXTS),
    ])


def case(frame: pd.DataFrame, keys: dict) -> dict:
    frame = frame.astype({column: object for column in FLAGS + TEXTS})
    # In one kind of missing value.
    frame = frame.where(frame.notna(), np.nan)
    if keys.get("missing") != "mean":
        frame = frame.dropna().reset_index(drop=True)
    limits = {key: keys[key] for key in ["max_categories", "min_frequency"] if key in keys}
    fitted = encoder(keys.get("missing") == "mean", **limits).fit(frame[HELD_OUT:])
    target = StandardScaler().fit(frame[["income"]][HELD_OUT:])
    return {
        "keys": keys,
        # In the order of scikit-learn's columns, which are grouped by kind.
        "order": NUMBERS + FLAGS + TEXTS,
        "inputs": fitted.transform(frame).tolist(),
        "targets": target.transform(frame[["income"]]).ravel().tolist(),
    }


frame = table()
frame.to_csv(FOLDER / "people.csv", index=False)
frame.dropna().to_csv(FOLDER / "complete.csv", index=False)
# As it reads back.
frame = pd.read_csv(FOLDER / "people.csv")
cases = [
    {"missing": "mean"},
    {"missing": "mean", "max_categories": 4},
    {"missing": "mean", "min_frequency": 6},
    {"missing": "mean", "min_frequency": 9, "max_categories": 3},
    {"max_categories": 3},
    {"max_categories": 1},
    {},
]
truth, predicted = [61_000.5, 40_250.0, 55_000.0, 38_000.25], [60_000.0, 42_000.0, 51_000.0, 40_000.0]
golden = {
    "held_out": HELD_OUT,
    "cases": [case(frame, keys) for keys in cases],
    "regression": {
        "truth": truth,
        "predicted": predicted,
        "r2": r2_score(truth, predicted),
        "rmse": root_mean_squared_error(truth, predicted),
    },
}
(FOLDER / "encoded.json").write_text(json.dumps(golden) + "\n")
print({name: (FOLDER / name).stat().st_size for name in ["people.csv", "complete.csv", "encoded.json"]})
