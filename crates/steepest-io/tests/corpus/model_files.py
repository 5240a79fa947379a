"""Safetensors: the length of a JSON header, the header, the numbers. None of these is a model."""

import json
import struct

from outcome import refused


def model(header: object, numbers: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + numbers


def files() -> dict:
    def tensor(shape: list, begin: int, end: int, dtype: str = "F32") -> dict:
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    plain = {"layers.0.weight": tensor([2, 2], 0, 16)}
    contents = {
        "empty": b"",
        "length-cut": b"\5\0\0",
        "length-huge": model(plain, bytes(16), 2**63),
        "length-past-end": model(plain, bytes(16), 10_000),
        "header-not-json": model(b"hello, world"),
        "header-not-utf8": model(b'{"\xff": 1}'),
        "header-nested": model(b"[" * 20_000),
        "header-of-numbers": model([1, 2, 3]),
        "no-metadata": model(plain, bytes(16)),
        "foreign-metadata": model(plain | {"__metadata__": {"format": "pt"}}, bytes(16)),
        "metadata-not-json": model(plain | {"__metadata__": {"steepest": "{"}}, bytes(16)),
        "metadata-empty": model(plain | {"__metadata__": {"steepest": "{}"}}, bytes(16)),
        "data-cut": model(plain, bytes(15)),
        "data-trailing": model(plain, bytes(17)),
        "offsets-past-end": model({"a": tensor([2, 2], 0, 2**40)}, bytes(16)),
        "offsets-reversed": model({"a": tensor([2, 2], 16, 0)}, bytes(16)),
        "offsets-overlap": model({"a": tensor([2, 2], 0, 16), "b": tensor([2, 2], 8, 24)}, bytes(24)),
        "shape-overflow": model({"a": tensor([2**33, 2**33], 0, 16)}, bytes(16)),
        "shape-lies": model({"a": tensor([4, 4], 0, 16)}, bytes(16)),
        "dtype-unknown": model({"a": tensor([2, 2], 0, 16, "F31")}, bytes(16)),
    }
    return {f"{name}.safetensors": (file, refused("")) for name, file in contents.items()}
