"""Models in files: of estimators, of runs, of the command line."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import problems
import steepest
from compare import OURS

pytestmark = [pytest.mark.steepest_only, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

SMALL = {"hidden_layer_sizes": (12,), "max_iter": 30, "random_state": 0, "learning_rate_init": 0.01}


def command(*arguments):
    done = subprocess.run([sys.executable, "-m", "steepest", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(path, X, y):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{i}" for i in range(X.shape[1])), "label"])
        writer.writerows([*map(repr, row), label] for row, label in zip(X.tolist(), y.tolist()))


LABELS = [
    np.array([3, 1, 7]), np.array([3, 1, 7], np.uint8), np.array([-2.0, 0.0, 5.0]), np.array(["no", "yes", "é, \n"]),
    np.array(["b", "a", "c"], object), np.array([False, True]), np.array([4, 2]), np.array(["1", "2", "3"]),
]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: f"{labels.dtype}{len(labels)}")
def test_labels_keep_their_type(labels, tmp_path):
    X, y = problems.three_classes()
    y = labels[y % len(labels)]
    est = OURS.Classifier(**SMALL).fit(X, y)
    est.save(tmp_path / "m")
    loaded = OURS.Classifier.load(tmp_path / "m")
    assert loaded.classes_.dtype == est.classes_.dtype and loaded.predict(X).dtype == est.predict(X).dtype
    assert_array_equal(loaded.predict(X), est.predict(X))
    assert loaded.score(X, y) == est.score(X, y)
    model = steepest.load(tmp_path / "m")
    assert_array_equal(model.predict(X), est.predict(X))
    assert_allclose(model.predict_proba(X), est.predict_proba(X), atol=1e-12)
    assert model.evaluate(X, y)["accuracy"] == pytest.approx(est.score(X, y))


def test_labels_that_no_file_holds(tmp_path):
    X, y = problems.binary()
    dates = np.array(["2020-01-01", "2021-01-01"], "datetime64[D]")[y]
    with pytest.raises(ValueError, match="datetime64.*pickle"):
        OURS.Classifier(**SMALL).fit(X, dates).save(tmp_path / "m")
    with pytest.raises(ValueError, match="two classes"):
        OURS.Classifier(**SMALL).fit(*problems.one_class()).save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_a_fit_is_kept(tmp_path):
    X, y = problems.binary()
    est = OURS.Classifier(**SMALL, early_stopping=True, class_weight={0: 1.0, 1: 3.0}, dtype=np.float32).fit(X, y)
    est.save(tmp_path / "m")
    loaded = OURS.Classifier.load(tmp_path / "m")
    ours, kept = est.get_params(), loaded.get_params()
    assert {**ours, "dtype": "float32", "hidden_layer_sizes": [12]} == kept
    for name in ("n_iter_", "t_", "loss_curve_", "validation_scores_", "out_activation_", "n_features_in_", "n_layers_"):
        assert getattr(loaded, name) == getattr(est, name), name
    assert loaded.coefs_[0].dtype == np.float32
    with pytest.raises(ValueError, match="MLPClassifier, not of MLPRegressor"):
        OURS.Regressor.load(tmp_path / "m")
    OURS.Classifier(**SMALL).fit(X, y).save(tmp_path / "m")
    loaded = OURS.Classifier.load(tmp_path / "m")
    before = loaded.loss_
    assert loaded.partial_fit(X, y).loss_ < before and loaded.t_ == 31 * len(X)


def test_a_note_of_a_stranger(tmp_path):
    """What a file says of its estimator is checked before it is believed."""
    X, y = problems.binary()
    OURS.Classifier(**SMALL).fit(X, y).save(tmp_path / "m")
    core = steepest.load(tmp_path / "m")._core
    note = json.loads(core.note)
    for changes in ({"parameters": 3}, {"parameters": {"no_such": 1}}, {"labels": "no"}, {"labels": 5}, {"attributes": []},
                    {"attributes": note["attributes"] | {"out_activation_": "exec"}},
                    {"attributes": note["attributes"] | {"feature_names_in_": ["a"]}}):
        core.save(tmp_path / "other", json.dumps(note | changes))
        with pytest.raises(ValueError, match="other.*damaged"):
            OURS.Classifier.load(tmp_path / "other")
        assert len(steepest.load(tmp_path / "other").predict(X)) == len(X)
    core.save(tmp_path / "other", json.dumps(note | {"attributes": note["attributes"] | {"predict": 3}}))
    assert callable(OURS.Classifier.load(tmp_path / "other").predict)
    core.save(tmp_path / "other", "[not json")
    assert steepest.load(tmp_path / "other").predict(X).dtype == np.int64
    with pytest.raises(ValueError, match="any model"):
        OURS.Classifier.load(tmp_path / "other")


def test_names_of_features_are_kept(tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = problems.binary()
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    OURS.Classifier(**SMALL).fit(frame, y).save(tmp_path / "m")
    loaded = OURS.Classifier.load(tmp_path / "m")
    assert loaded.feature_names_in_.tolist() == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[list("bacdef")])


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_regression(loss, tmp_path):
    X, y = problems.counts()
    est = OURS.Regressor(loss, **SMALL).fit(X, y.astype(float))
    est.save(tmp_path / "m")
    model = steepest.load(tmp_path / "m")
    assert model.classes is None
    assert_allclose(model.predict(X), est.predict(X), rtol=1e-12)
    assert model.evaluate(X, y)["r2"] == pytest.approx(est.score(X, y))
    with pytest.raises(ValueError, match="predict"):
        model.predict_proba(X)


@pytest.mark.parametrize("data", [problems.three_classes, problems.two_words])
def test_the_command_line_takes_it(data, tmp_path):
    X, y = data()
    est = OURS.Classifier(**SMALL).fit(X, y)
    est.save(tmp_path / "m.safetensors")
    table(tmp_path / "rows.csv", X, y)
    evaluated = json.loads(command("evaluate", tmp_path / "m.safetensors", "--data", tmp_path / "rows.csv", "--json"))
    assert evaluated["accuracy"] == pytest.approx(est.score(X, y))
    assert evaluated["classes"] == [str(label) for label in est.classes_]
    if y.dtype.kind == "i":
        np.savez(tmp_path / "rows.npz", X=X, y=y)
        assert json.loads(command("evaluate", tmp_path / "m.safetensors", "--data", tmp_path / "rows.npz", "--json")) == evaluated
    lines = command("predict", tmp_path / "m.safetensors", tmp_path / "rows.csv", "--csv").splitlines()
    rows = list(csv.DictReader(lines))
    assert [row["prediction"] for row in rows] == [str(label) for label in est.predict(X)]
    assert_allclose([float(row[f"p_{est.classes_[1]}"]) for row in rows], est.predict_proba(X)[:, 1], rtol=1e-9)


@pytest.mark.parametrize("data", [problems.three_classes, problems.two_words, problems.regression])
def test_export_for_numpy(data, tmp_path):
    X, y = data()
    kind = OURS.Regressor if y.dtype.kind == "f" else OURS.Classifier
    est = kind(**SMALL).fit(X, y)
    est.export(tmp_path / "m.npz")
    model = np.load(tmp_path / "m.npz")
    a, n = X, sum(name.startswith("coefs_") for name in model)
    for i in range(n):
        a = (a if i == 0 else np.maximum(a, 0)) @ model[f"coefs_{i}"] + model[f"intercepts_{i}"]
    assert str(model["activation"]) == "relu" and str(model["out_activation"]) == est.out_activation_
    if kind is OURS.Regressor:
        assert_allclose(a.ravel(), est.predict(X), rtol=1e-9)
    elif a.shape[1] == 1:
        assert_array_equal(model["classes"][(a[:, 0] > 0).astype(int)], est.predict(X))
    else:
        assert_array_equal(model["classes"][a.argmax(axis=1)], est.predict(X))
    with pytest.raises(ValueError, match="expected .npz"):
        est.export(tmp_path / "m.onnx")


@pytest.fixture(scope="module")
def digits():
    return steepest.train(rows="..800", val_split=100, hidden=[32], epochs=20, threads=1)


def test_bytes_floats_and_images(digits, tmp_path):
    """Few rows and many, of every type, give the same."""
    digits.save(tmp_path / "m")
    model = steepest.load(tmp_path / "m")
    data = steepest.load_data("digits/test", rows="..300")
    expected = model.predict_proba(data.X)
    assert expected.dtype == np.float32 and model.image == (28, 28) and model.n_features == 784
    for X in (data.images, data.X.astype(np.float32), data.X.astype(float), data.X.astype(int), data.X.tolist(), data,
              np.asfortranarray(data.X)):
        assert_allclose(model.predict_proba(X), expected, atol=1e-5)
    for n in (0, 1, 3, 64, 65):
        assert_allclose(model.predict_proba(data.X[:n]), expected[:n], atol=1e-5)
        assert_allclose(model.predict_proba(data.X[:n].astype(np.float32)), expected[:n], atol=1e-5)
        assert_array_equal(model.predict(data.X[:n]), model.classes[expected[:n].argmax(axis=1)])
    assert model.evaluate(data) == pytest.approx(model.evaluate(data.X, data.y))
    assert model.evaluate("digits/test")["accuracy"] == pytest.approx(model.evaluate(steepest.load_data("digits/test"))["accuracy"])
    assert np.mean(model.predict(data.X) == data.y) > 0.4


@pytest.mark.parametrize("X, said", [
    (np.zeros((2, 783)), "783 numbers a row, but the model takes 784"), (np.zeros(784), r"reshape\(1, -1\)"),
    (np.full((2, 784), np.nan), "NaN"), (np.full((2, 784), "a"), "expected numbers"), (np.zeros((2, 784), complex), "expected numbers"),
])
def test_rows_that_do_not_fit(digits, X, said):
    with pytest.raises(ValueError, match=said):
        digits.model.predict(X)
    with pytest.raises(ValueError):
        digits.model.evaluate(X)


def test_a_model_of_a_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"colour": rng.choice(["red", "green"], 200), "size": rng.normal(size=200)})
    frame["label"] = np.where((frame["colour"] == "red") ^ (frame["size"] > 0), "in", "out")
    frame.to_csv(tmp_path / "t.csv", index=False)
    model = steepest.train(tmp_path / "t.csv", epochs=60, lr=0.01, threads=1).model
    assert model.columns == ["colour", "size"]
    predicted = model.predict(frame.drop(columns="label"))
    assert (predicted == frame["label"].to_numpy()).mean() > 0.9
    assert_array_equal(model.predict(tmp_path / "t.csv"), predicted)
    assert model.evaluate(tmp_path / "t.csv")["accuracy"] == pytest.approx((predicted == frame["label"].to_numpy()).mean())
    with pytest.raises(ValueError, match="DataFrame"):
        model.predict(np.zeros((2, 2)))


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        steepest.load(tmp_path / "missing")
    assert error.value.filename == str(tmp_path / "missing")
    (tmp_path / "m").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(ValueError, match="not a model"):
        steepest.load(tmp_path / "m")
    (tmp_path / "run").mkdir()
    with pytest.raises(FileNotFoundError, match="model.safetensors"):
        steepest.load(tmp_path / "run")


def test_a_file_can_take_raw_rows(tmp_path):
    """Saved with what its rows were divided by, a model of scaled pixels takes pixels; the estimator stays as it was."""
    images = steepest.load_data("digits/train", rows=slice(300))
    X, y = images
    classifier = steepest.MLPClassifier((16,), max_iter=5, random_state=0, tol=0).fit(X / 255, y)
    path = tmp_path / "digits.safetensors"
    classifier.save(path, divide_by=255)
    model = steepest.load(path)
    np.testing.assert_allclose(model.predict_proba(X), classifier.predict_proba(X / 255), rtol=1e-9)
    again = steepest.MLPClassifier.load(path)
    np.testing.assert_array_equal(again.predict_proba(X / 255), classifier.predict_proba(X / 255))
    with pytest.raises(ValueError, match="divide_by"):
        classifier.save(path, divide_by=0)
