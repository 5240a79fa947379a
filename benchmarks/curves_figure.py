"""What curves.py measured, as docs/curves.svg and as a part of docs/recipes.md."""

import statistics
from pathlib import Path

OURS, PYTORCH = "Steepest", "PyTorch"
STYLES = {OURS: "o-", PYTORCH: "s-"}
GOALS = [(60_000, 2.0), (300_000, 1.0)]  # parameters, error in per cent
BEGIN, END = "<!-- curves.py writes from here -->\n", "<!-- to here -->\n"

Runs = list[dict]


def errors(runs: Runs) -> list[float]:
    return [100 * (1 - run["accuracy"]) for run in runs]


def mean(runs: Runs, key: str) -> float:
    return statistics.mean(run[key] for run in runs)


def of_curve(document: dict, curve: str) -> list[dict]:
    return [point for point in document["points"] if point["curve"] == curve]


def draw(path: Path, document: dict) -> None:
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "curves"  # the same bytes for the same numbers
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    recipes, networks = of_curve(document, "seconds"), of_curve(document, "parameters")
    for name in STYLES:
        there = [point for point in recipes if point[name]]
        line(left, [mean(point[name], "seconds") for point in there], there, name)
        there = [point for point in networks if point[name]]
        line(right, [point["parameters"] for point in there], there, name)
    for point in recipes:
        place = mean(point[OURS], "seconds"), statistics.mean(errors(point[OURS]))
        left.annotate(point["name"], place, (-8, -12), textcoords="offset points", ha="right", fontsize="small")
    right.plot(*zip(*GOALS), "k*", markersize=11, label="goals: 98 % with 60,000, 99 % with 300,000")
    for panel, label in ((left, "seconds of training, recipe by recipe"), (right, "weights and biases of the network")):
        panel.set_xscale("log")
        panel.set_yscale("log")
        ticks(panel)
        panel.set_xlabel(label)
        panel.set_ylabel("error on MNIST's test set, %")
        panel.grid(alpha=0.3, which="both")
        panel.legend()
    left.margins(0.1)
    left.set_xlim(left.get_xlim()[0] / 2)  # room for the first name
    threads = "two threads" if document["threads"] == 2 else f"threads: {document['threads']}"
    title = f"Dense networks on MNIST, each the same for both, and the same seconds; {threads}"
    figure.suptitle(title + (" (tried out: next to no epochs)" if document["quick"] else ""))
    figure.savefig(path, metadata={"Date": None})


def line(panel, x: list[float], points: list[dict], name: str) -> None:
    """The mean over the seeds, and how far they lie apart."""
    every = [errors(point[name]) for point in points]
    middle = [statistics.mean(these) for these in every]
    panel.plot(x, middle, STYLES[name], label=name)
    for at, these in zip(x, every):
        if len(these) > 1:
            panel.plot([at, at], [min(these), max(these)], color=panel.lines[-1].get_color(), linewidth=1)


def ticks(panel) -> None:
    """Errors as plain numbers: 0.5, 1, 2, 5, 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def write_section(template: Path, path: Path, document: dict) -> None:
    """Replaces what stands between the two marks."""
    text = template.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{template}: the lines {BEGIN.strip()} and {END.strip()} are not there")
    path.write_text(before + BEGIN + "\n" + section(document) + "\n" + END + after)


def section(document: dict) -> str:
    figure = "![Test error against seconds of training, and against parameters](curves.svg)\n"
    return "\n".join([figure, measured(document), table(document, "seconds"), table(document, "parameters")])


def measured(document: dict) -> str:
    runs = [run for point in document["points"] for name in STYLES for run in point[name]]
    others = [run["others"] for run in runs if run["others"] is not None]
    seeds = "one seed" if document["seeds"] == 1 else f"means of {document['seeds']} seeds"
    threads = "one thread" if document["threads"] == 1 else f"{document['threads']} threads"
    text = f"Measured on {document['date']}, {document['processor']}, {threads} for both, {seeds}"
    text += f" ({', '.join(document['versions'])})."
    if others:
        text += f" Other programs had {statistics.median(others):.0%} of the processors meanwhile, at most {max(others):.0%}."
    text += " Every run is in [curves.json](../benchmarks/results/curves.json)."
    if document["quick"]:
        text += " Tried out on next to no epochs: these figures mean nothing."
    return text + "\n"


def table(document: dict, curve: str) -> str:
    by_recipe = curve == "seconds"
    first = ["recipe", "weights"] if by_recipe else ["network", "weights", "images deformed"]
    head = [*first, "Steepest: error", "seconds", "epochs", "PyTorch: error", "seconds", "epochs"]
    lines = []
    for point in of_curve(document, curve):
        weights = f"{point['parameters']:,}"
        cells = [f"`{point['name']}`", weights] if by_recipe else [point["name"], weights, point["deformed"]]
        lines.append(cells + figures(point[OURS]) + figures(point[PYTORCH]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines]) + "\n"


def figures(runs: Runs) -> list[str]:
    if not runs:
        return ["left out", "", ""]
    every = errors(runs)
    spread = f" ({min(every):.2f} to {max(every):.2f})" if len(every) > 1 else ""
    seconds, epochs = mean(runs, "seconds"), mean(runs, "epochs")
    return [f"{statistics.mean(every):.2f} %{spread}", f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2f}",
            f"{epochs:.0f}" if epochs >= 10 else f"{epochs:.1f}"]
