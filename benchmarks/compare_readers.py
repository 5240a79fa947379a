"""Steepest's readers against polars, pandas, NumPy, Python's gzip and Pillow: MNIST in each form, time and peak memory.

    python benchmarks/compare_readers.py --binary target/release/steepest --data FOLDER_WITH_MNIST_IDX_FILES

Steepest is a whole process each time; the others are called in this one. Ends with 1 if they disagree about the data.
Needs Linux.
"""

import argparse
import gzip
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compare_numpy import markdown, verdict
from mnist_rows import read_mnist
from notebooks import Array
from readers import N_PIXELS, READERS, Parts, Reader, figures
from steepest_cli import info_command, version_command

KAGGLE_ROWS = 42000
PACKAGES = {"polars": "polars", "pandas": "pandas", "numpy": "numpy", "PIL.Image": "pillow"}
MIB = 2**20
STEEPEST = "Steepest, whole process"
READING = "Steepest, reading"

# A new process counts the memory of the one that starts it as its own. So a small Python starts it.
START = """
import os, sys
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet), 0)
print(usage.ru_maxrss * 1024)
sys.exit(status != 0)
"""

NOTES = """
- Steepest is `steepest data info FILE --json`, a new process each time: as a whole (start, reading, the figures of
  every value, end), and its reading alone, as it says itself. The others are calls within a Python that runs already
  and has imported them.
- {threads} threads for each side, files in the page cache, each reader in turn, {repeats} times. ratio: to the median of
  Steepest's reading.
- polars ends with a float32 matrix, made of the types that it finds or of those it is told, in its own (column) order.
- Peak memory: Steepest's of the whole process; the others' of a fresh process that reads once, less that of one that
  only imports. No process is seen below {floor:.0f} MiB, which are those of the small Python that starts it. array: the
  inputs as the reader leaves them. limit: what Steepest should stay under, array x 1.25 + 64 MiB.
- agrees: rows, columns, least and greatest value and the number of each class are the same as Steepest's and as what
  the file was made of.
"""


@dataclass
class Form:
    """A file or folder, what it was made of, and who reads it besides Steepest."""

    name: str
    path: Path
    parts: Parts
    readers: list[Reader]


def write_table(path: Path, x: Array, y: Array) -> None:
    text = [str(value) for value in range(256)]
    with path.open("w") as file:
        file.write(",".join(["label"] + [f"pixel{i}" for i in range(N_PIXELS)]) + "\n")
        for label, row in zip(y.tolist(), x.tolist()):
            file.write(",".join([text[label]] + [text[value] for value in row]) + "\n")


def write_images(folder: Path, x: Array, y: Array) -> None:
    from PIL import Image
    for label in range(10):
        (folder / f"train/{label}").mkdir(parents=True)
    for i, (image, label) in enumerate(zip(x, y)):
        Image.fromarray(image).save(folder / f"train/{label}/{i:05}.png")


def copy_idx(source: Path, folder: Path) -> None:
    """The four files, gzipped."""
    folder.mkdir()
    for part in ("train", "t10k"):
        for what in ("images-idx3", "labels-idx1"):
            name = f"{part}-{what}-ubyte"
            if (source / f"{name}.gz").exists():
                shutil.copy(source / f"{name}.gz", folder)
            else:
                (folder / f"{name}.gz").write_bytes(gzip.compress((source / name).read_bytes()))


def make_forms(args: argparse.Namespace, folder: Path, installed: list[Reader]) -> list[Form]:
    x, y, x_test, y_test = read_mnist(args.data)
    x, x_test = (images.reshape(-1, 28, 28) for images in (x, x_test))
    both = {"train": (x, y), "test": (x_test, y_test)}
    single = {part: (images / 255, labels) for part, (images, labels) in both.items()}
    forms = []

    def form(name: str, path: str, parts: Parts, *modules: str) -> Path:
        forms.append(Form(name, folder / path, parts, [r for r in installed if r.module in modules]))
        return folder / path

    # Kaggle's table is 42000 of all 70000 digits.
    chosen = np.random.RandomState(70000).permutation(len(x) + len(x_test))[:KAGGLE_ROWS]
    rows = np.concatenate([x, x_test])[chosen].reshape(-1, N_PIXELS), np.concatenate([y, y_test])[chosen]
    write_table(form("Kaggle's train.csv", "train.csv", {"": rows}, "polars", "pandas"), *rows)

    def named(parts: Parts) -> dict[str, Array]:
        return {f"{axis}_{part}": array for part, pair in parts.items() for axis, array in zip("xy", pair)}

    np.savez(form("NPZ, stored", "stored.npz", both, "numpy"), **named(both))
    np.savez_compressed(form("NPZ, deflated", "deflated.npz", both, "numpy"), **named(both))
    np.savez(form("NPZ, float64", "float64.npz", single, "numpy"), **named(single))
    columns = {part: (np.asfortranarray(images), labels) for part, (images, labels) in both.items()}
    np.savez(form("NPZ, Fortran order", "columns.npz", both, "numpy"), **named(columns))
    copy_idx(args.data, form("IDX, gzipped", "idx", both, "gzip"))
    if any(reader.module == "PIL.Image" for reader in installed):
        images = x[:args.images], y[:args.images]
        write_images(form(f"{len(images[0]):,} PNG images", "png", {"": images}, "PIL.Image"), *images)
    else:
        print("SKIPPED: PNG images, which Pillow would write", file=sys.stderr)
    os.sync()  # so that no time has the writing of these in it
    return forms


def size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def run(command: list[str]) -> tuple[float, str]:
    """Seconds from start to end, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr}")
    return seconds, done.stdout


def call(reader: Reader, path: Path) -> float:
    start = time.perf_counter()
    kept = reader.read(path)
    seconds = time.perf_counter() - start
    del kept  # outside the time
    return seconds


def peak(command: list[str]) -> int:
    return int(run([sys.executable, "-I", "-S", "-c", START, *command])[1])


def peak_of_peer(reader: Reader, path: Path) -> int:
    once = [sys.executable, str(Path(__file__).parent / "readers.py"), reader.name]
    return peak(once + [str(path)]) - peak(once)


def agrees(expected: dict[str, dict], given: dict[str, dict]) -> bool:
    """Whether each part has the expected figures; it may have more."""
    return expected.keys() == given.keys() and all(
        given[part].get(key) == value for part, found in expected.items() for key, value in found.items())


def by_part(info: dict) -> dict[str, dict]:
    return info.get("parts") or {"": info}


def measure(args: argparse.Namespace, form: Form) -> list[dict]:
    """A row for Steepest, then one for each peer."""
    command = info_command(args.binary, form.path)
    truth = {part: figures(*pair) for part, pair in form.parts.items()}
    # This first turn is not timed: it brings the file into the page cache and imports the peers.
    info = by_part(json.loads(run(command)[1]))
    array = sum(part["memory_bytes"] for part in info.values())
    rows = [{"reader": STEEPEST, "figures": info, "agrees": agrees(truth, info), "array": array,
             "peak": peak(command), "limit": array * 5 // 4 + 64 * MIB, "seconds": []}]
    for reader in form.readers:
        read = reader.read(form.path)
        found = {part: figures(*pair) for part, pair in read.items()}
        # Of flat rows a peer cannot tell an image's height and width: only what it has is compared.
        rows.append({"reader": reader.name, "figures": found, "agrees": agrees(found, truth) and agrees(found, info),
                     "array": sum(x.nbytes for x, _ in read.values()), "peak": peak_of_peer(reader, form.path),
                     "limit": None, "seconds": []})
        del read
    reading = rows[0] | {"reader": READING, "peak": None, "limit": None, "seconds": []}
    for _ in range(args.repeats):  # in turns, so that a slow minute falls on all
        seconds, output = run(command)
        rows[0]["seconds"].append(seconds)
        reading["seconds"].append(json.loads(output)["read_seconds"])
        for reader, row in zip(form.readers, rows[1:]):
            row["seconds"].append(call(reader, form.path))
    rows.insert(1, reading)
    return [{"form": form.name, "bytes": size(form.path)} | row for row in rows]


def times(seconds: list[float]) -> list[str]:
    return [f"{statistics.median(seconds):.3f} s", f"{min(seconds):.3f} to {max(seconds):.3f}"]


def table(args: argparse.Namespace, rows: list[dict], start: dict) -> str:
    def mib(n: int | None) -> str:
        return "" if n is None else f"{n / MIB:.0f} MiB"

    lines, ours = [], 0.0
    for row in rows:
        median = statistics.median(row["seconds"])
        ours = median if row["reader"] == READING else ours
        ratio = "" if row["reader"] in (STEEPEST, READING) else f"{median / ours:.1f}"
        lines.append([f"{row['form']} ({mib(row['bytes'])})", row["reader"], *times(row["seconds"]), ratio,
                      mib(row["peak"]), mib(row["array"]), mib(row["limit"]), verdict(row["agrees"])])
    lines.append(["none: `steepest --version`", STEEPEST, *times(start["seconds"]), "", mib(start["peak"]), "", "", ""])
    head = ["file", "reader", "median", "least to most", "ratio", "peak memory", "array", "limit", "agrees"]
    text = markdown(f"Readers, {args.threads} threads, median of {args.repeats}, in turns", head, lines)
    return text + NOTES.format(threads=args.threads, repeats=args.repeats, floor=start["floor"] / MIB)


def installed_readers() -> list[Reader]:
    found = []
    for reader in READERS.values():
        try:
            importlib.import_module(reader.module)
            found.append(reader)
        except ImportError:
            print(f"SKIPPED: {reader.name}: not installed", file=sys.stderr)
    return found


def take_cores(threads: int) -> None:
    """Both sides may run on this many cores only: Steepest's readers take all that they may run on."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    if len(cores) < threads:
        sys.exit(f"--threads {threads}: there are {len(cores)} cores")
    os.sched_setaffinity(0, cores)
    os.environ["POLARS_MAX_THREADS"] = str(threads)  # polars reads it when it is imported, which comes later


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with the four IDX files, gzipped or not")
    parser.add_argument("--images", type=int, default=60000, help="PNG images in the folder (60000)")
    parser.add_argument("--repeats", type=int, default=5, help="turns (5)")
    parser.add_argument("--threads", type=int, default=2, help="for each side (2)")
    parser.add_argument("--save", action="store_true", help="write Markdown and raw JSON to results/")
    args = parser.parse_args()
    take_cores(args.threads)
    installed = installed_readers()

    command, rows = version_command(args.binary), []
    start = {"peak": peak(command), "floor": peak(["/bin/true"]),
             "seconds": [run(command)[0] for _ in range(args.repeats)]}
    with tempfile.TemporaryDirectory() as folder:
        for form in make_forms(args, Path(folder), installed):
            rows += measure(args, form)
            print(f"{form.name}: measured", file=sys.stderr)
    good = all(row["agrees"] for row in rows)
    text = table(args, rows, start)
    print(text)
    if args.save:
        results = Path(__file__).parent / "results"
        results.mkdir(exist_ok=True)
        packages = sorted({PACKAGES[reader.module] for reader in installed if reader.module in PACKAGES} | {"numpy"})
        setup = {name: importlib.metadata.version(name) for name in packages}
        setup |= {"python": platform.python_version(), "threads": args.threads, "repeats": args.repeats,
                  "machine": platform.machine(), "ok": good}
        (results / "readers.md").write_text(text)
        raw = {"rows": rows, "start": start}
        (results / "readers.json").write_text(json.dumps({"setup": setup, "raw": raw}, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
