"""scikit-learn's MLPClassifier, which draws its own start weights and batches."""

import time
import warnings

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from peers.job import Call, Job, Layers, Trainer, serve
from peers.works import MOMENTUM


def classifier(job: Job, batch: int, epochs: int) -> MLPClassifier:
    never = {"tol": 0.0, "n_iter_no_change": epochs + 1}
    return MLPClassifier(
        job.work.sizes[1:-1], solver="adam" if job.work.optimizer == "adam" else "sgd", alpha=0.0, batch_size=batch,
        learning_rate_init=job.work.lr, max_iter=epochs, momentum=MOMENTUM if job.work.optimizer == "momentum" else 0.0,
        nesterovs_momentum=False, random_state=0, **never)


def trainer(job: Job) -> Trainer:
    warnings.simplefilter("ignore")  # that the last epoch is the last
    batch = job.work.batch or len(job.y)
    each = len(job.y) // batch  # as many rows as the others see
    epochs, n = max(1, job.steps // each), min(each, job.steps) * batch
    x, y = job.floats(job.x)[:n], job.y[:n]
    net = classifier(job, batch, epochs)
    classifier(job, batch, 1).fit(x[:batch], y[:batch])

    def run() -> tuple[float, Layers]:
        started = time.perf_counter()
        net.fit(x, y)
        seconds = time.perf_counter() - started
        return seconds, [(w.T, b) for w, b in zip(net.coefs_, net.intercepts_)]

    return run


def predictor(job: Job, x) -> Call:
    net = classifier(job, 128, 1).partial_fit(job.floats(job.x[:128]), job.y[:128], classes=np.arange(10))
    net.coefs_ = [w.T.copy() for w, _ in job.start()]
    net.intercepts_ = [b for _, b in job.start()]
    return lambda: net.predict_proba(x)


if __name__ == "__main__":
    serve(f"scikit-learn {sklearn.__version__}", trainer, predictor)
