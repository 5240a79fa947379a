"""What Steepest reads is, bit for bit, what NumPy, pandas and Pillow read: random files of every kind, converted to NPZ.

    python readers_agree.py PATH/TO/steepest
"""

import itertools
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BINARY = sys.argv[1]
rng = np.random.default_rng(0)
checked = 0


def converted(source: Path, *flags: str) -> dict:
    """The arrays that Steepest makes of a file."""
    out = source.parent / "converted.npz"
    out.unlink(missing_ok=True)
    subprocess.run([BINARY, "data", "convert", source, out, *flags], check=True, stderr=subprocess.DEVNULL)
    return dict(np.load(out))


def expected_inputs(x: np.ndarray) -> np.ndarray:
    """Bytes where all numbers are whole and fit, float32 where that is exact, else float64."""
    if x.dtype == bool or x.dtype.kind in "iu":
        if x.min() >= 0 and x.max() <= 255:
            return x.astype(np.uint8)
        single = x.astype(np.float32)
        exact = all(int(a) == int(b) for a, b in zip(single.ravel(), x.ravel()))
        return single if exact else x.astype(np.float64)
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x.astype(x.dtype.newbyteorder("="))


def same(name: object, found: np.ndarray, expected: np.ndarray) -> None:
    global checked
    checked += 1
    if found.dtype != expected.dtype or found.shape != expected.shape or found.tobytes() != expected.tobytes():
        sys.exit(f"{name}: {found.dtype}{found.shape}\n{found}\ninstead of {expected.dtype}{expected.shape}\n{expected}")


def random_array(kind: str, shape: tuple) -> np.ndarray:
    dtype = np.dtype(kind)
    if dtype == bool:
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind == "f":
        return rng.normal(0, 100, shape).astype(dtype)
    limit = rng.choice([255, np.iinfo(dtype).max])
    low = 0 if dtype.kind == "u" or limit == 255 else -limit
    return rng.integers(low, min(limit, np.iinfo(dtype).max, 2**62), shape, endpoint=True).astype(dtype)


def arrays(folder: Path) -> None:
    kinds = [f"{order}{kind}" for kind in "b1 u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8".split() for order in "<>"]
    shapes = [(7, 3), (5, 2, 4), (3, 2, 2, 3)]
    for kind, shape, order in itertools.product(kinds, shapes, "CF"):
        x, y = np.array(random_array(kind, shape), order=order), rng.integers(0, 4, shape[0])
        save = rng.choice([np.savez, np.savez_compressed])
        save(folder / "a.npz", X=x, y=y)
        flat = expected_inputs(x)
        # Beyond three dimensions, what follows the first is a row.
        flat = flat if len(shape) < 4 else flat.reshape(shape[0], -1)
        found = converted(folder / "a.npz")
        same((kind, shape, order), found["X"], np.ascontiguousarray(flat))
        same((kind, "labels"), found["y"], y)
        np.save(folder / "a.npy", x)
        same((kind, shape, order, "npy"), converted(folder / "a.npy")["X"], np.ascontiguousarray(flat))
    names = np.array(["owl", "cat", "ox", "cat"])
    np.savez(folder / "a.npz", X=np.eye(4), y=names)
    same("text labels", converted(folder / "a.npz")["y"], names)


def idx(folder: Path) -> None:
    codes = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
    for (code, kind), shape in itertools.product(codes.items(), [(6,), (4, 5), (3, 2, 4)]):
        x = random_array(kind, shape)
        header = struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)
        (folder / "x.idx").write_bytes(header + x.tobytes())
        flat = expected_inputs(x)
        same(("idx", kind, shape), converted(folder / "x.idx")["X"], flat.reshape(-1, 1) if len(shape) == 1 else flat)


def tables(folder: Path) -> bool:
    try:
        import pandas as pd
    except ImportError:
        return False
    for i in range(30):
        n = int(rng.integers(1, 60))
        columns = {f"c{j}": random_array(rng.choice(["u1", "i4", "f4", "f8"]), (n,)) for j in range(rng.integers(1, 6))}
        labels = rng.choice(["a", 'b "c", d', "é"], n) if i % 2 else rng.integers(0, 9, n)
        frame = pd.DataFrame(columns | {"label": labels})
        frame = frame[rng.permutation(frame.columns)]
        end = str(rng.choice(["\n", "\r\n"]))
        frame.to_csv(folder / "t.csv", index=False, lineterminator=end, encoding=str(rng.choice(["utf-8", "utf-8-sig"])))
        read = pd.read_csv(folder / "t.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig")
        inputs = np.array([[float(cell) for cell in row] for row in read.drop(columns="label").to_numpy()])
        found = converted(folder / "t.csv", "--double")
        same(("table", i), found["X"].astype(np.float64), inputs)
        names = read["label"].tolist()
        same(("labels", i), found["y"], np.array(names if i % 2 else [int(name) for name in names]))
    return True


def images(folder: Path) -> bool:
    try:
        from PIL import Image
    except ImportError:
        return False
    for mode, depth in {"1": 2, "L": 256, "LA": 256, "P": 256, "RGB": 256, "RGBA": 256}.items():
        set_folder = folder / f"images-{mode}"
        grey = []
        for i in range(8):
            n_channels = len(mode) if mode not in ("1", "P") else 1
            pixels = rng.integers(0, depth, (6, 9, n_channels)).astype(np.uint8)
            image = Image.fromarray(pixels.squeeze() * (255 if mode == "1" else 1), "L" if n_channels == 1 else mode)
            if mode == "1":
                image = image.convert("1")
            if mode == "P":
                image.putpalette(rng.integers(0, 256, 768).astype(np.uint8).tobytes())
            path = set_folder / str(i % 3) / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
            grey.append(np.asarray(Image.open(path).convert("L")))
        found = converted(set_folder)
        same(("images", mode), found["X"], np.stack(grey))
        same(("classes of images", mode), found["y"], np.arange(8) % 3)
    return True


with tempfile.TemporaryDirectory() as name:
    place = Path(name)
    arrays(place)
    idx(place)
    without = [package for package, done in [("pandas", tables(place)), ("Pillow", images(place))] if not done]
print(f"{checked} comparisons agree" + (f"; SKIPPED: there is no {', no '.join(without)}" if without else ""))
