"""The measured runs as Markdown."""

import statistics

from peers.contenders import OURS
from peers.works import WORKS

Runs = dict[str, dict[str, dict]]  # work, contender: {"seconds": [...], "accuracy": [...], "ready": ...}


def time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:,.1f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 0.1 else f"{seconds:.3f} s"


def lead(runs: dict[str, dict], peer: str) -> float:
    """How many times faster Steepest is: the median over the turns, each with its own ratio."""
    return statistics.median(theirs / ours for theirs, ours in zip(runs[peer]["seconds"], runs[OURS]["seconds"]))


def median(run: dict) -> float:
    return statistics.median(run["seconds"])


def markdown(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines]) + "\n"


def overview(runs: Runs) -> str:
    """A line for each work: Steepest beside the fastest peer."""
    lines = []
    for work in WORKS:
        these = runs.get(work.name, {})
        if OURS not in these:
            continue
        line = [work.name, work.what, time(median(these[OURS]))]
        peers = [name for name in these if name != OURS]
        if peers:
            fastest = min(peers, key=lambda name: median(these[name]))
            line += [f"{fastest}, {time(median(these[fastest]))}", f"{lead(these, fastest):.1f}"]
            line += [f"{lead(these, name):.1f}" if name in these else "" for name in ("NumPy as written", "PyTorch")]
        lines.append(line + [""] * (7 - len(line)))
    head = ["row", "work", OURS, "fastest peer", "x faster", "x NumPy as written", "x PyTorch"]
    return markdown(head, lines)


def details(runs: Runs) -> str:
    lines = []
    for work in WORKS:
        for name, run in runs.get(work.name, {}).items():
            seconds, accuracies = run["seconds"], [a for a in run["accuracy"] if a is not None]
            scaled = run["steps"] < work.steps
            notes = [f"{run['steps']:,} of {work.steps:,} steps, scaled"] if scaled else []
            notes += [f"{run['ready']:.1f} s to get ready"] if name != OURS else []
            lines.append([work.name, name, time(median(run)), f"{time(min(seconds))} – {time(max(seconds))}",
                          str(len(seconds)), f"{statistics.median(accuracies):.4f}" if accuracies else "",
                          f"{lead(runs[work.name], name):.1f}" if OURS in runs[work.name] else "", "; ".join(notes)])
    head = ["row", "program", "median", "least – most", "runs", "accuracy", "Steepest is x faster", ""]
    return markdown(head, lines)


def disturbance(runs: Runs) -> str:
    """What other programs took of the processors during the runs."""
    every = [share for these in runs.values() for run in these.values() for share in run["others"]]
    shares = [share for share in every if share is not None]
    if not shares:
        return ""
    most = f"at most {max(shares):.0%}"
    return f" Other programs had {statistics.median(shares):.0%} of the processors meanwhile, {most}."


EXPLANATION = """\
The training loop alone, or a prediction, with data in memory; medians of runs in turns, and of the ratios within each
turn. Accuracy is that on rows not seen in training, after the steps that were run; times are for all steps. Peers are
called from their own language, Steepest's predictions from Rust. One row is predicted by one thread, and the peers learn
W8 with one (JAX has no setting for it). Getting ready is reading the data, compiling and warming up, and no part of the
time.
"""


def document(runs: Runs, setup: dict) -> str:
    versions = ", ".join([*setup["versions"], f"Python {setup['python']}"])
    head = f"{setup['date']}, {setup['processor']}, {setup['threads']} threads for everybody. {versions}."
    return "\n".join(["# Steepest beside other libraries\n", head + disturbance(runs) + "\n", EXPLANATION,
                      overview(runs), details(runs)])
