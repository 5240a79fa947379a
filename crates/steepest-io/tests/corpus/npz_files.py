"""NPZ: a zip archive of NPY members, written by hand so that it can lie."""

import struct
import zlib

from npy_files import npy
from outcome import read, refused

LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


def deflate(contents: bytes) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    return pack.compress(contents) + pack.flush()


class Member:
    """A member of an archive; what is not given is what it should be."""

    def __init__(self, name: str, contents: bytes, deflated: bool = False, method: int | None = None, flags: int = 0,
                 crc: int | None = None, size: int | None = None, packed_size: int | None = None):
        self.name, self.body = name.encode(), deflate(contents) if deflated else contents
        self.method = (8 if deflated else 0) if method is None else method
        self.flags, self.crc = flags, zlib.crc32(contents) if crc is None else crc
        self.size = len(contents) if size is None else size
        self.packed_size = len(self.body) if packed_size is None else packed_size

    def fields(self) -> bytes:
        return struct.pack("<4H3I2H", self.flags, self.method, 0, 33, self.crc, self.packed_size, self.size,
                           len(self.name), 0)

    def local(self) -> bytes:
        return LOCAL + struct.pack("<H", 20) + self.fields() + self.name + self.body

    def central(self, offset: int) -> bytes:
        return CENTRAL + struct.pack("<2H", 20, 20) + self.fields() + struct.pack("<3H2I", 0, 0, 0, 0, offset) + self.name


def archive(*members: Member, count: int | None = None, directory: int | None = None, comment: bytes = b"",
            offsets: list[int] | None = None) -> bytes:
    result, places = b"", []
    for member in members:
        places.append(len(result))
        result += member.local()
    start = len(result)
    for member, place in zip(members, offsets or places):
        result += member.central(place)
    count = len(members) if count is None else count
    size = len(result) - start
    directory = start if directory is None else directory
    return result + END + struct.pack("<4H2IH", 0, 0, count, count, size, directory, len(comment)) + comment


def files() -> dict:
    x, y = npy("(2, 3)", bytes([0, 1, 2, 253, 254, 255])), npy("(2,)", bytes([1, 0]))
    rows, labels = [[0, 1, 2], [253, 254, 255]], ["1", "0"]
    whole = read(rows, labels)

    def pair(x_array: bytes = x, y_array: bytes = y, **fields) -> bytes:
        return archive(Member("X.npy", x_array, **fields), Member("y.npy", y_array))

    stored = pair()
    f8 = npy("(2,)", struct.pack("<2d", 0.5, -2.0), "<f8")
    text = npy("(2,)", "cat\0dog\0".encode("utf-32-le"), "<U4")
    big_text = npy("(2,)", "cat\0dog\0".encode("utf-32-be"), ">U4")
    scalar, objects = npy("()", struct.pack("<d", 255.0), "<f8"), npy("(2,)", b"\x80\x04N.", "|O")
    zeros = npy("(100,)", bytes(100) + bytes(8 << 20))
    wide = struct.pack("<2q", 7, 123_456_789)
    return {
        "stored.npz": (stored, whole),
        "deflated.npz": (pair(deflated=True), whole),
        "comment.npz": (archive(Member("X.npy", x), Member("y.npy", y), comment=b"made by hand"), whole),
        "names-without-npy.npz": (archive(Member("X", x), Member("y", y)), whole),
        "data-target.npz": (archive(Member("data.npy", x), Member("target.npy", y)), whole),
        "small-x.npz": (archive(Member("x.npy", x), Member("Y.npy", y)), whole),
        "y-first.npz": (archive(Member("y.npy", y), Member("X.npy", x)), whole),
        "inputs-alone.npz": (archive(Member("X.npy", x)), read(rows)),
        "scalar-beside.npz": (archive(Member("X.npy", x), Member("scale.npy", scalar), Member("y.npy", y)), whole),
        "objects-beside.npz": (archive(Member("X.npy", x), Member("y.npy", y), Member("names.npy", objects)), whole),
        "labels-column.npz": (pair(y_array=npy("(2, 1)", bytes([1, 0]))), whole),
        "labels-bool.npz": (pair(y_array=npy("(2,)", bytes([1, 0]), "|b1")), whole),
        "labels-i8-big.npz": (pair(y_array=npy("(2,)", struct.pack(">2q", 1, 0), ">i8")), whole),
        "labels-negative.npz": (pair(y_array=npy("(2,)", struct.pack("<2i", -1, 1), "<i4")), read(rows, ["-1", "1"])),
        "labels-large.npz": (pair(y_array=npy("(2,)", wide, "<i8")), read(rows, ["7", "123456789"])),
        "labels-text.npz": (pair(y_array=text), read(rows, ["cat", "dog"])),
        "labels-bytes.npz": (pair(y_array=npy("(2,)", b"cat\0dog\0", "|S4")), read(rows, ["cat", "dog"])),
        "labels-text-big.npz": (pair(y_array=big_text), read(rows, ["cat", "dog"])),
        "values.npz": (pair(y_array=f8), read(rows, [0.5, -2.0])),
        "values-two.npz": (pair(y_array=npy("(2, 2)", struct.pack("<4f", 1, 2, 3, 4), "<f4")), read(rows, [1, 2, 3, 4])),
        "two-of-a-name.npz": (archive(Member("X.npy", x), Member("X.npy", y)), read([[1], [0]])),
        "train-only.npz": (archive(Member("x_train.npy", x), Member("y_train.npy", y)), whole),
        "flag-utf8.npz": (pair(flags=0x800), whole),

        "empty.npz": (b"", refused("is empty")),
        "no-members.npz": (archive(), refused("(none)")),
        "signature-only.npz": (LOCAL, refused("zip")),
        "cut-in-data.npz": (stored[:100], refused("zip")),
        "cut-in-directory.npz": (stored[:-40], refused("zip")),
        "cut-last-byte.npz": (stored[:-1], refused("zip")),
        "no-end.npz": (stored[:-22], refused("zip")),
        "end-only.npz": (stored[-22:], refused("")),
        "directory-past-end.npz": (archive(Member("X.npy", x), directory=1 << 30), refused("zip")),
        "count-lies.npz": (archive(Member("X.npy", x), count=60_000), refused("zip")),
        "offset-past-end.npz": (archive(Member("X.npy", x), offsets=[1 << 30]), refused("zip")),
        "offset-in-data.npz": (archive(Member("X.npy", x), offsets=[60]), refused("zip")),
        "checksum.npz": (pair(crc=12345), refused("")),
        "checksum-deflated.npz": (pair(deflated=True, crc=12345), refused("")),
        "deflate-damaged.npz": (archive(Member("X.npy", x, method=8)), refused("")),
        "method-bzip2.npz": (pair(method=12), refused("")),
        "method-unknown.npz": (pair(method=77), refused("")),
        "encrypted.npz": (pair(flags=1), refused("")),
        "size-too-small.npz": (pair(size=10), refused("")),
        "size-lies.npz": (pair(size=4_000_000_000, packed_size=4_000_000_000), refused("")),
        "bomb.npz": (archive(Member("X.npy", zeros, deflated=True)), refused("after the 100 bytes")),
        "bomb-truthful.npz": (pair(x_array=npy("(2, 5000000)", bytes(10_000_000)), deflated=True), refused("fill the memory")),
        "zip-of-table.npz": (archive(Member("train.csv", b"label,a\n1,2\n")), refused("unzip it")),
        "rows-differ-before-reading.npz": (pair(y_array=npy("(3000000,)", b"")), refused("`y` has 3000000")),
        "lie.npz": (archive(Member("X.npy", npy("(60000, 28, 28)", b"12"))), refused("data expected, 2 found")),
        "path-up.npz": (archive(Member("../x_train.npy", x), Member("../y_train.npy", y)), refused("")),
        "path-up-beside.npz": (archive(Member("X.npy", x), Member("y.npy", y), Member("../../.bashrc", b"echo")), refused("..")),
        "path-absolute.npz": (archive(Member("X.npy", x), Member("y.npy", y), Member("/etc/passwd", b"root")), refused("/etc")),
        "path-backslash.npz": (archive(Member("X.npy", x), Member("..\\y.npy", y)), refused("..")),
        "other-names.npz": (archive(Member("a.npy", x), Member("b.npy", y)), refused("`a`, `b`")),
        "escape-sequence.npz": (archive(Member("\x1b[2J.npy", x)), refused("`\\u{1b}[2J`")),
        "no-array.npz": (archive(Member("X.npy", b"hello"), Member("y.npy", y)), refused("NPY header")),
        "word-document.npz": (archive(Member("[Content_Types].xml", b"<x/>"), Member("word/document.xml", b"<x/>")), refused("word")),
        "rows-differ.npz": (pair(y_array=npy("(3,)", bytes(3))), refused("`y` has 3")),
        "labels-scalar.npz": (pair(y_array=npy("()", b"\1")), refused("")),
        "inputs-scalar.npz": (pair(x_array=npy("()", b"\1"), y_array=npy("(1,)", b"\1")), refused("shape")),
        "labels-objects.npz": (pair(y_array=objects), refused("object")),
        "inputs-text.npz": (pair(x_array=text), refused("text")),
        "labels-nan.npz": (pair(y_array=npy("(2,)", struct.pack("<2d", 1, float("nan")), "<f8")), refused("finite")),
        "labels-rank3.npz": (pair(y_array=npy("(2, 1, 1)", bytes(2))), refused("shape")),
    }
