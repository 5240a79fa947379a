"""IDX: a magic number with type and rank, big-endian sizes, numbers; plain or in gzip."""

import gzip
import struct
import zlib

from outcome import read, refused

TYPES = {"u8": (0x08, "B"), "i8": (0x09, "b"), "i16": (0x0B, "h"), "i32": (0x0C, "i"), "f32": (0x0D, "f"), "f64": (0x0E, "d")}


def idx(sizes: list[int], numbers: list, type_name: str = "u8") -> bytes:
    code, letter = TYPES[type_name]
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) \
        + struct.pack(f">{len(numbers)}{letter}", *numbers)


def gz(contents: bytes, flags: int = 0, fields: bytes = b"", level: int = 9) -> bytes:
    """A gzip member, with optional header fields."""
    pack = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = pack.compress(contents) + pack.flush()
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(5) + b"\x03" + fields + body \
        + struct.pack("<2I", zlib.crc32(contents), len(contents) & 0xFFFFFFFF)


def files() -> dict:
    six = [0, 1, 2, 253, 254, 255]
    rows = [six[:3], six[3:]]
    plain = idx([2, 3], six)
    packed = gz(plain)
    images = idx([2, 2, 2], list(range(8)))
    squares = [[0, 1, 2, 3], [4, 5, 6, 7]]
    lie = idx([60_000, 28, 28], [])
    bomb = gz(idx([10, 10], [0] * 100) + bytes(8 << 20))
    return {
        "rank1": (idx([3], [7, 8, 9]), read([[7], [8], [9]])),
        "rank2": (plain, read(rows)),
        "rank3": (images, read(squares, image=(2, 2))),
        "rank4": (idx([2, 1, 2, 2], list(range(8))), read(squares)),
        "rank4-one-channel": (idx([2, 2, 2, 1], list(range(8))), read(squares, image=(2, 2))),
        "rank255": (idx([1] * 255, [5]), read([[5]])),
        "i8": (idx([2, 2], [-128, -1, 0, 127], "i8"), read([[-128, -1], [0, 127]])),
        "i16": (idx([2, 2], [-32768, -1, 256, 32767], "i16"), read([[-32768, -1], [256, 32767]])),
        "i32": (idx([1, 2], [-(2**31), 2**31 - 1], "i32"), read([[-(2**31), 2**31 - 1]])),
        "i32-bytes": (idx([1, 2], [0, 255], "i32"), read([[0, 255]])),
        "f32": (idx([1, 3], [0.5, -0.0, 1e-45], "f32"), read([[0.5, -0.0, 1.401298464324817e-45]])),
        "f64": (idx([1, 2], [0.1, -1e300], "f64"), read([[0.1, -1e300]])),
        "gzip": (packed, read(rows)),
        "gzip-two-members": (gz(plain[:7]) + gz(plain[7:]), read(rows)),
        "gzip-many-members": (b"".join(gz(plain[i:i + 1]) for i in range(len(plain))), read(rows)),
        "gzip-empty-members": (gz(b"") + packed + gz(b""), read(rows)),
        "gzip-name-comment-extra": (gz(plain, 4 | 8 | 16, b"\x03\0abc" + b"rows\0" + b"a comment\0"), read(rows)),
        "gzip-header-checksum": (gz(plain, 2, struct.pack("<H", zlib.crc32(b"\x1f\x8b\x08\x02" + bytes(5) + b"\x03") & 0xFFFF)), read(rows)),
        "gzip-stored": (gz(plain, level=0), read(rows)),
        "gzip-zero-padding": (packed + bytes(512), read(rows)),

        "empty": (b"", refused("is empty")),
        "two-zeros": (b"\0\0", refused("")),
        "magic-only": (plain[:4], refused("IDX header")),
        "header-cut": (plain[:9], refused("IDX header")),
        "data-cut": (plain[:-1], refused("6 bytes of data expected, 5 found")),
        "no-data": (plain[:12], refused("6 bytes of data expected, 0 found")),
        "trailing": (plain + b"x", refused("after the 6 bytes")),
        "type-07": (b"\0\0\x07\x01\0\0\0\x01x", refused("")),
        "type-0a": (b"\0\0\x0a\x01\0\0\0\x01x", refused("0a")),
        "type-0f": (b"\0\0\x0f\x01\0\0\0\x01x", refused("")),
        "first-byte": (b"\1" + plain[1:], refused("")),
        "little-endian": (b"\x03\x08\0\0" + struct.pack("<3I", 2, 2, 2) + bytes(8), refused("")),
        "rank0": (idx([], [5]), refused("shape")),
        "zero-rows": (idx([0, 3], []), refused("no data")),
        "zero-columns": (idx([3, 0], []), refused("no data")),
        "zero-times-huge": (idx([0, 2**32 - 1, 2**32 - 1], []), refused("")),
        "overflow-32": (idx([2**16, 2**16], []), refused("data expected, 0 found")),
        "overflow-64": (idx([2**32 - 1] * 3, []), refused("no memory can hold")),
        "overflow-bytes": (idx([2**31, 2**31], [], "f64"), refused("")),
        "rank255-huge": (idx([2**32 - 1] * 255, []), refused("no memory can hold")),
        "lying-header": (lie, refused("data expected, 0 found")),
        "f32-nan": (idx([1, 2], [1, float("nan")], "f32"), refused("finite")),
        "f64-inf": (idx([2, 1], [1, float("-inf")], "f64"), refused("row 1, column 0")),
        "gzip-empty": (gz(b""), refused("")),
        "gzip-cut": (packed[:-10], refused("")),
        "gzip-header-only": (packed[:10], refused("")),
        "gzip-two-bytes": (packed[:2], refused("")),
        "gzip-no-trailer": (packed[:-8], refused("")),
        "gzip-checksum": (packed[:-8] + b"\0\0\0\0" + packed[-4:], refused("")),
        "gzip-length": (packed[:-4] + b"\0\0\0\0", refused("")),
        "gzip-garbage-after": (packed + b"garbage", refused("")),
        "gzip-second-member-cut": (gz(plain[:7]) + gz(plain[7:])[:-5], refused("")),
        "gzip-method": (packed[:2] + b"\x07" + packed[3:], refused("")),
        "gzip-reserved-flags": (packed[:3] + b"\xe0" + packed[4:], refused("")),
        "gzip-flipped": (packed[:14] + bytes([packed[14] ^ 0x55]) + packed[15:], refused("")),
        "gzip-bomb": (bomb, refused("after the 100 bytes")),
        "gzip-lie": (gz(lie), refused("fill the memory")),
        "gzip-in-gzip": (gz(packed), refused("")),
        "gzip-of-text": (gzip.compress(b"hello, world", mtime=0), refused("")),
        "web-page": (b"<!DOCTYPE html><title>404</title>", refused("web page")),
        "random": (bytes(i * 37 % 256 for i in range(1, 400)), refused("")),
    }
