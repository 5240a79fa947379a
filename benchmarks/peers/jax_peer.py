"""JAX: the whole training as one compiled scan."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from notebooks import NOTEBOOKS
from peers.job import EPSILON, Call, Job, Layers, Trainer, folded, serve
from peers.works import BETA2, MOMENTUM, VALIDATE_EVERY, WEIGHT_DECAY

Tree = list  # of (w, b), as Layers, or (w, b, scale)


def relu_step(number: int, rate: float) -> Callable:
    """Notebooks 0 to 2: twice the gradient in 0, one number for all biases of a layer in 2."""
    scale = 2.0 if number == 0 else 1.0

    def bias(d: jax.Array) -> jax.Array:
        return d.sum() if number == 2 else d.sum(0)

    def step(p: Tree, x: jax.Array, t: jax.Array) -> Tree:
        (w1, b1), (w2, b2) = p
        z1 = x @ w1.T + b1
        a1 = jax.nn.relu(z1)
        d2 = (jax.nn.softmax(a1 @ w2.T + b2) - t) * (scale / len(x))
        d1 = (d2 @ w2) * (z1 > 0)
        return [(w1 - rate * (d1.T @ x), b1 - rate * bias(d1)), (w2 - rate * (d2.T @ a1), b2 - rate * bias(d2))]

    return step


def sigmoid_step(rate: float) -> Callable:
    """Notebook 3: softmax over the batch, and p (1 - p) for its derivative."""
    def step(p: Tree, x: jax.Array, t: jax.Array) -> Tree:
        (w1, _), (w2, _) = p
        a1 = jax.nn.sigmoid(x @ w1.T)
        out = jax.nn.softmax(a1 @ w2.T, axis=0)
        d2 = (out - t) * out * (1 - out) * (2 / len(x))
        d1 = (d2 @ w2) * a1 * (1 - a1)
        return [(w1 - rate * (d1.T @ x), None), (w2 - rate * (d2.T @ a1), None)]

    return step


def sigmoid_accuracy(p: Tree, x: jax.Array, y: jax.Array) -> jax.Array:
    out = jax.nn.softmax(jax.nn.sigmoid(x @ p[0][0].T) @ p[1][0].T, axis=0)
    return (out.argmax(1) == y).mean()


def notebook_loop(job: Job) -> Callable:
    nb = NOTEBOOKS[job.work.notebook]
    step = sigmoid_step(nb.learning_rate) if nb.stochastic else relu_step(nb.number, nb.learning_rate)

    def full(p: Tree, x: jax.Array, t: jax.Array) -> Tree:
        return lax.scan(lambda p, _: (step(p, x, t), None), p, length=job.steps)[0]

    def mini(p: Tree, x: jax.Array, t: jax.Array, batches: jax.Array) -> Tree:
        return lax.scan(lambda p, rows: (step(p, x[rows], t[rows]), None), p, batches)[0]

    def validated(p: Tree, x: jax.Array, t: jax.Array, batches: jax.Array, x_val: jax.Array, y_val: jax.Array):
        def some_steps(p: Tree, batches: jax.Array):
            p = mini(p, x, t, batches)
            return p, sigmoid_accuracy(p, x_val, y_val)

        return lax.scan(some_steps, p, batches.reshape(-1, VALIDATE_EVERY, job.work.batch))

    return validated if job.work.validated else full if job.batches is None else mini


def logits(p: Tree, x: jax.Array) -> jax.Array:
    for w, b in p[:-1]:
        x = jax.nn.relu(x @ w.T + b)
    return x @ p[-1][0].T + p[-1][1]


def normalised_logits(p: Tree, x: jax.Array) -> tuple[jax.Array, list]:
    """Also the batch's means and unbiased variances in each hidden layer."""
    seen = []
    for w, b, scale in p[:-1]:
        z = x @ w.T
        mean, variance = z.mean(0), z.var(0)
        seen.append((mean, variance * (len(x) / (len(x) - 1))))
        x = jax.nn.relu((z - mean) * (scale * lax.rsqrt(variance + EPSILON)) + b)
    return x @ p[-1][0].T + p[-1][1], seen


def cross_entropy(z: jax.Array, t: jax.Array) -> jax.Array:
    return -(jax.nn.log_softmax(z) * t).sum(1).mean()


def loss(p: Tree, x: jax.Array, t: jax.Array) -> jax.Array:
    return cross_entropy(logits(p, x), t)


def normalised_loss(p: Tree, x: jax.Array, t: jax.Array) -> tuple[jax.Array, list]:
    z, seen = normalised_logits(p, x)
    return cross_entropy(z, t), seen


def adam(rate: float, p: Tree, g: Tree, state: tuple, beta2: float = 0.999) -> tuple[Tree, tuple]:
    m, v, n = state
    n += 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, g)
    scale, root = rate / (1 - 0.9 ** n), jnp.sqrt(1 - beta2 ** n)
    p = jax.tree.map(lambda p, m, v: p - scale * m / (jnp.sqrt(v) / root + 1e-8), p, m, v)
    return p, (m, v, n)


def adamw(rate: float, p: Tree, g: Tree, state: tuple) -> tuple[Tree, tuple]:
    """Weights decay; biases, shifts and scales do not."""
    moved, state = adam(rate, p, g, state, BETA2)
    decay = rate * WEIGHT_DECAY
    return jax.tree.map(lambda new, old: new - decay * old if old.ndim > 1 else new, moved, p), state


def momentum(rate: float, p: Tree, g: Tree, velocity: Tree) -> tuple[Tree, Tree]:
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, g)
    return jax.tree.map(lambda p, v: p - rate * v, p, velocity), velocity


def usual_loop(job: Job) -> Callable:
    update = adam if job.work.optimizer == "adam" else momentum

    def loop(p: Tree, x: jax.Array, t: jax.Array, batches: jax.Array) -> Tree:
        def step(carry: tuple, rows: jax.Array) -> tuple:
            p, state = carry
            return update(job.work.lr, p, jax.grad(loss)(p, x[rows], t[rows]), state), None

        zeros = jax.tree.map(jnp.zeros_like, p)
        state = (zeros, zeros, jnp.float32(0)) if update is adam else zeros
        return lax.scan(step, (p, state), batches)[0][0]

    return loop


def normalised_loop(job: Job) -> Callable:
    def loop(p: Tree, x: jax.Array, t: jax.Array, batches: jax.Array) -> tuple[Tree, list]:
        def step(carry: tuple, rows: jax.Array) -> tuple:
            p, state, running = carry
            g, seen = jax.grad(normalised_loss, has_aux=True)(p, x[rows], t[rows])
            p, state = adamw(job.work.lr, p, g, state)
            return (p, state, jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, running, seen)), None

        zeros = jax.tree.map(jnp.zeros_like, p)
        running = [(jnp.zeros_like(b), jnp.ones_like(b)) for _, b, _ in p[:-1]]
        p, _, running = lax.scan(step, (p, (zeros, zeros, jnp.float32(0)), running), batches)[0]
        return p, running

    return loop


def start(job: Job) -> Tree:
    layers, scales = job.start(), job.scales()
    return [(*layer, scale) for layer, scale in zip(layers, scales)] + layers[len(scales):]


def layers_of(job: Job, end: Tree | tuple) -> Layers:
    end = jax.device_get(end)
    if not job.work.batch_norm:
        return end[0] if job.work.validated else end
    p, running = end
    return [folded(*layer, *statistics) for layer, statistics in zip(p, running)] + p[len(running):]


def trainer(job: Job) -> Trainer:
    given = [start(job), job.floats(job.x), job.targets()]
    given += [] if job.batches is None else [job.batches]
    given += [] if job.validation is None else [job.floats(job.validation[0]), job.validation[1]]
    given = jax.block_until_ready(jax.device_put(given))
    make = normalised_loop if job.work.batch_norm else usual_loop if job.work.notebook is None else notebook_loop
    loop = jax.jit(make(job)).lower(*given).compile()

    def run() -> tuple[float, Layers]:
        started = time.perf_counter()
        p = jax.block_until_ready(loop(*given))
        seconds = time.perf_counter() - started
        return seconds, layers_of(job, p)

    run()  # the first one is slower
    return run


def predictor(job: Job, x) -> Call:
    p, rows = jax.device_put((job.start(), x))
    forward = jax.jit(lambda rows: jax.nn.softmax(logits(p, rows)))
    return lambda: forward(rows).block_until_ready()


if __name__ == "__main__":
    serve(f"jax {jax.__version__}", trainer, predictor)
