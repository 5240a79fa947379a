"""NPY: a magic number, a header in Python's notation, numbers."""

import struct

from idx_files import gz
from outcome import read, refused


def header(text: str, version: int = 1, length: int | None = None) -> bytes:
    body = text.encode("latin1" if version < 3 else "utf-8")
    body += b" " * (-(len(body) + 11) % 64) + b"\n"
    length = len(body) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", length) + body


def npy(shape: str, numbers: bytes, descr: str = "|u1", fortran: bool = False, version: int = 1) -> bytes:
    return header(f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}", version) + numbers


def files() -> dict:
    six = bytes([0, 1, 2, 253, 254, 255])
    rows = [[0, 1, 2], [253, 254, 255]]
    plain = npy("(2, 3)", six)

    def raw(text: str, numbers: bytes = six) -> bytes:
        return header(text) + numbers

    result = {
        "plain.npy": (plain, read(rows)),
        "version2.npy": (npy("(2, 3)", six, version=2), read(rows)),
        "version3.npy": (npy("(2, 3)", six, version=3), read(rows)),
        "fortran.npy": (npy("(2, 3)", bytes([0, 253, 1, 254, 2, 255]), fortran=True), read(rows)),
        "fortran-rank3.npy": (npy("(2, 2, 2)", bytes([0, 4, 2, 6, 1, 5, 3, 7]), fortran=True),
                              read([[0, 1, 2, 3], [4, 5, 6, 7]], image=(2, 2))),
        "fortran-rank1.npy": (npy("(3,)", bytes([7, 8, 9]), fortran=True), read([[7], [8], [9]])),
        "rank1.npy": (npy("(3,)", bytes([7, 8, 9])), read([[7], [8], [9]])),
        "rank3.npy": (npy("(1, 2, 3)", six), read([list(six)], image=(2, 3))),
        "rank5.npy": (npy("(1, 1, 2, 1, 3)", six), read([list(six)])),
        "bool.npy": (npy("(2, 2)", bytes([0, 1, 1, 0]), "|b1"), read([[0, 1], [1, 0]])),
        "bool-2.npy": (npy("(1, 2)", bytes([0, 2]), "|b1"), read([[0, 1]])),
        "python2-long.npy": (npy("(2L, 3L)", six), read(rows)),
        "keys-in-other-order.npy": (raw("{'shape': (2, 3), 'fortran_order': False, 'descr': '|u1'}"), read(rows)),
        "double-quotes.npy": (raw('{"descr": "|u1", "fortran_order": False, "shape": (2, 3)}'), read(rows)),
        "no-blanks.npy": (raw("{'descr':'|u1','fortran_order':False,'shape':(2,3)}"), read(rows)),
        "unpadded.npy": (b"\x93NUMPY\1\0" + struct.pack("<H", 53)
                         + b"{'descr':'|u1','fortran_order':False,'shape':(2,3),} \n"[:53] + six, read(rows)),
        "gzip.npy.gz": (gz(plain), read(rows)),
        "gzip-bomb.npy.gz": (gz(npy("(2, 3)", six + bytes(8 << 20))), refused("after the 6 bytes")),
        "native-order.npy": (npy("(1, 2)", struct.pack("<2h", 1, 256), "=i2"), read([[1, 256]])),

        "empty.npy": (b"", refused("is empty")),
        "magic-cut.npy": (b"\x93NUM", refused("NPY header")),
        "magic-only.npy": (plain[:8], refused("NPY header")),
        "header-cut.npy": (plain[:40], refused("NPY header")),
        "data-cut.npy": (plain[:-1], refused("6 bytes of data expected, 5 found")),
        "no-data.npy": (plain[:-6], refused("6 bytes of data expected, 0 found")),
        "trailing.npy": (plain + b"x", refused("after the 6 bytes")),
        "version0.npy": (b"\x93NUMPY\0\0" + plain[8:], refused("version")),
        "version9.npy": (b"\x93NUMPY\x09\0" + plain[8:], refused("version")),
        "header-length-lies.npy": (b"\x93NUMPY\2\0\xff\xff\xff\xff" + plain[10:], refused("longer than 10000")),
        "header-length-short.npy": (b"\x93NUMPY\1\0\5\0" + plain[10:], refused("")),
        "header-empty.npy": (b"\x93NUMPY\1\0\0\0", refused("")),
        "header-not-text.npy": (b"\x93NUMPY\1\0\4\0\xff\xfe\xfd\xfc", refused("not text")),
        "header-nul.npy": (raw("{'descr': '|u1\0', 'fortran_order': False, 'shape': (2, 3)}"), refused("")),
        "nested.npy": (raw("(" * 4000 + ")" * 4000), refused("")),
        "code.npy": (raw("{'descr': __import__('os').name, 'fortran_order': False, 'shape': (2, 3)}"), refused("")),
        "no-shape.npy": (raw("{'descr': '|u1', 'fortran_order': False}"), refused("no shape")),
        "no-descr.npy": (raw("{'fortran_order': False, 'shape': (2, 3)}"), refused("no descr")),
        "no-order.npy": (raw("{'descr': '|u1', 'shape': (2, 3)}"), refused("no fortran_order")),
        "other-key.npy": (raw("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), 'x': 1}"), refused("other keys")),
        "shape-unclosed.npy": (raw("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3}"), refused("")),
        "shape-negative.npy": (npy("(-2, 3)", six), refused("")),
        "shape-float.npy": (npy("(2.0, 3)", six), refused("")),
        "shape-product.npy": (npy("(2*1, 3)", six), refused("")),
        "shape-list.npy": (npy("[2, 3]", six), refused("")),
        "shape-number.npy": (npy("6", six), refused("")),
        "order-number.npy": (raw("{'descr': '|u1', 'fortran_order': 2, 'shape': (2, 3)}"), refused("")),
        "rank0.npy": (npy("()", b"\5"), refused("shape")),
        "zero-rows.npy": (npy("(0, 3)", b""), refused("no data")),
        "zero-columns.npy": (npy("(3, 0)", b""), refused("no data")),
        "zero-times-huge.npy": (npy("(0, 99999999999999999999)", b""), refused("")),
        "zero-times-large.npy": (npy(f"(0, {2**63})", b""), refused("no data")),
        "overflow-64.npy": (npy(f"({2**32}, {2**33})", six), refused("no memory can hold")),
        "overflow-bytes.npy": (npy(f"({2**62},)", six, "<f8"), refused("")),
        "size-past-64.npy": (npy(f"({2**70}, 1)", six), refused("")),
        "lying-header.npy": (npy("(60000, 28, 28)", six), refused("data expected, 6 found")),
        "objects.npy": (npy("(2,)", b"\x80\x04K\x01.", "|O"), refused("object")),
        "structured.npy": (raw("{'descr': [('a', '<i4'), ('b', '<f8')], 'fortran_order': False, 'shape': (1,), }", bytes(12)),
                           refused("structured")),
        "complex.npy": (npy("(1, 1)", bytes(8), "<c8"), refused("c8")),
        "longdouble.npy": (npy("(1, 1)", bytes(16), "<f16"), refused("f16")),
        "datetime.npy": (npy("(1, 1)", bytes(8), "<M8[ns]"), refused("M8")),
        "void.npy": (npy("(1, 1)", bytes(4), "|V4"), refused("V4")),
        "text.npy": (npy("(2,)", "ab".encode("utf-32-le"), "<U1"), refused("text")),
        "text-length-huge.npy": (npy("(2,)", b"", f"<U{2**62}"), refused("")),
        "text-not-unicode.npy": (npy("(1,)", b"\xff\xff\xff\xff", "<U1"), refused("")),
        "nan.npy": (npy("(1, 2)", struct.pack("<2f", 1, float("nan")), "<f4"), refused("row 0, column 1")),
        "inf.npy": (npy("(2, 1)", struct.pack("<2d", 1, float("inf")), "<f8"), refused("row 1, column 0")),
        "half-inf.npy": (npy("(1, 1)", b"\0\x7c", "<f2"), refused("finite")),
    }
    numbers = {"i1": ("b", [-128, 127]), "u2": ("H", [0, 65535]), "i2": ("h", [-32768, 32767]), "u4": ("I", [0, 2**32 - 1]),
               "i4": ("i", [-(2**31), 2**31 - 1]), "u8": ("Q", [0, 2**53]), "i8": ("q", [-(2**53), 1]),
               "f2": ("e", [0.5, -65504.0]), "f4": ("f", [0.5, 2.0**-149]), "f8": ("d", [0.1, -1e300])}
    for kind, (letter, values) in numbers.items():
        for sign, name in [("<", "little"), (">", "big")]:
            packed = struct.pack(f"{sign}2{letter}", *values)
            result[f"{kind}-{name}.npy"] = (npy("(1, 2)", packed, sign + kind), read([values]))
    return result
