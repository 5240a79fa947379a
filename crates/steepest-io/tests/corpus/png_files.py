"""PNG: of every colour type, depth and interlacing, written by hand so that it can lie."""

import struct
import zlib

from outcome import read, refused

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]  # x, y, dx, dy


def chunk(name: bytes, body: bytes = b"", crc: int | None = None, length: int | None = None) -> bytes:
    crc = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">I", len(body) if length is None else length) + name + body + struct.pack(">I", crc)


def header(width: int, height: int, depth: int, colour: int, interlaced: int = 0, method: int = 0, filtering: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, colour, method, filtering, interlaced))


def pack(row: list[int], depth: int) -> bytes:
    """Samples of 1 to 16 bits."""
    bits = "".join(f"{sample:0{depth}b}" for sample in row)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def png(pixels: list[list], depth: int, colour: int, before: bytes = b"", interlaced: bool = False, after: bytes = b"",
        split: int | None = None) -> bytes:
    """Pixels are samples, or tuples of several."""
    height, width = len(pixels), len(pixels[0])

    def line(row: list) -> bytes:
        samples = [sample for pixel in row for sample in (pixel if isinstance(pixel, tuple) else (pixel,))]
        return b"\0" + pack(samples, depth)

    if interlaced:
        passes = [[pixels[r][x::dx] for r in range(y, height, dy)] for x, y, dx, dy in PASSES]
        raw = b"".join(line(row) for rows in passes for row in rows if row)
    else:
        raw = b"".join(line(row) for row in pixels)
    data = zlib.compress(raw, 9)
    pieces = [data[i:i + split] for i in range(0, len(data), split)] if split else [data]
    body = b"".join(chunk(b"IDAT", piece) for piece in pieces)
    return SIGNATURE + header(width, height, depth, colour, int(interlaced)) + before + body + after + chunk(b"IEND")


def luma(red: int, green: int, blue: int) -> int:
    return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16


def files() -> dict:
    grey = [[0, 1, 2], [128, 254, 255]]
    colours = [[(255, 0, 0), (0, 255, 0), (0, 0, 255)], [(10, 20, 30), (0, 0, 0), (255, 255, 255)]]
    lumas = [luma(*pixel) for row in colours for pixel in row]
    flat = [pixel for row in grey for pixel in row]
    plain = png(grey, 8, GREY)
    checker = [[(x * 31 + y * 17) % 256 for x in range(9)] for y in range(7)]
    palette = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 10, 20, 30]))
    of_palette = [luma(255, 0, 0), luma(0, 255, 0), luma(10, 20, 30)]
    image_header, idat = header(3, 2, 8, GREY), chunk(b"IDAT", zlib.compress(b"\0\0\1\2\0\x80\xfe\xff"))
    end = chunk(b"IEND")

    def one(values: list, height: int = 2, width: int = 3) -> dict:
        return read([values], None, (height, width))

    def made(*parts: bytes) -> bytes:
        return SIGNATURE + b"".join(parts)

    paletted = made(header(3, 1, 8, PALETTE), palette, chunk(b"IDAT", zlib.compress(b"\0\0\1\2")), end)
    return {
        "grey8.png": (plain, one(flat)),
        "grey1.png": (png([[0, 1, 0], [1, 1, 0]], 1, GREY), one([0, 255, 0, 255, 255, 0])),
        "grey2.png": (png([[0, 1, 2], [3, 2, 1]], 2, GREY), one([0, 85, 170, 255, 170, 85])),
        "grey4.png": (png([[0, 1, 15], [8, 2, 3]], 4, GREY), one([0, 17, 255, 136, 34, 51])),
        "grey16.png": (png([[0, 0x1234, 0xFFFF], [0x80FF, 0xFF, 0x100]], 16, GREY), one([0, 0x12, 255, 0x80, 0, 1])),
        "grey8-alpha.png": (png([[(v, 255 - v) for v in row] for row in grey], 8, GREY_ALPHA), one(flat)),
        "grey16-alpha.png": (png([[(v * 257, 65535) for v in row] for row in grey], 16, GREY_ALPHA), one(flat)),
        "colour8.png": (png(colours, 8, COLOUR), one(lumas)),
        "colour16.png": (png([[tuple(v * 257 for v in p) for p in row] for row in colours], 16, COLOUR), one(lumas)),
        "colour8-alpha.png": (png([[(*p, 128) for p in row] for row in colours], 8, COLOUR_ALPHA), one(lumas)),
        "palette8.png": (paletted, one(of_palette, 1, 3)),
        "palette2.png": (png([[0, 1, 2]], 2, PALETTE, palette), one(of_palette, 1, 3)),
        "palette-transparent.png": (png([[0, 1, 2]], 8, PALETTE, palette + chunk(b"tRNS", b"\0\x80")), one(of_palette, 1, 3)),
        "grey-transparent.png": (png(grey, 8, GREY, chunk(b"tRNS", b"\0\1")), one(flat)),
        "interlaced.png": (png(checker, 8, GREY, interlaced=True), one(sum(checker, []), 7, 9)),
        "interlaced-1x1.png": (png([[77]], 8, GREY, interlaced=True), one([77], 1, 1)),
        "many-idat.png": (png(grey, 8, GREY, split=1), one(flat)),
        "text-gamma-time.png": (png(grey, 8, GREY, chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"tEXt", b"Title\0a")
                                    + chunk(b"tIME", bytes([7, 234, 1, 1, 0, 0, 0]))), one(flat)),
        "unknown-chunk.png": (png(grey, 8, GREY, chunk(b"teSt", b"1234")), one(flat)),
        "after-end.png": (plain + b"something else", one(flat)),
        "one-pixel.png": (png([[200]], 8, GREY), one([200], 1, 1)),

        "empty.png": (b"", refused("is empty")),
        "signature-only.png": (SIGNATURE, refused("")),
        "signature-cut.png": (SIGNATURE[:5], refused("")),
        "jpeg.png": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(20), refused("")),
        "gif.png": (b"GIF89a\1\0\1\0\0\0\0;", refused("")),
        "interlaced-huge.png": (made(header(8192, 8192, 16, COLOUR_ALPHA, 1), chunk(b"IDAT", zlib.compress(bytes(16 << 20), 9)), end), refused("")),
        "line-ends-converted.png": (plain.replace(b"\r\n", b"\n", 1), refused("")),
        "header-cut.png": (plain[:20], refused("")),
        "data-cut.png": (plain[:-20], refused("")),
        "no-end.png": (plain[:-12], refused("")),
        "no-idat.png": (made(image_header, end), refused("")),
        "no-header.png": (made(idat, end), refused("")),
        "no-palette.png": (made(header(3, 1, 8, PALETTE), chunk(b"IDAT", zlib.compress(b"\0\0\1\2")), end), refused("")),
        "header-checksum.png": (made(chunk(b"IHDR", struct.pack(">2I5B", 3, 2, 8, 0, 0, 0, 0), crc=1), idat, end), refused("")),
        "data-checksum.png": (made(image_header, chunk(b"IDAT", zlib.compress(b"\0\0\1\2\0\x80\xfe\xff"), crc=1), end), refused("")),
        "adler.png": (made(image_header, chunk(b"IDAT", zlib.compress(b"\0\0\1\2\0\x80\xfe\xff")[:-4] + bytes(4)), end), refused("")),
        "zlib-damaged.png": (made(image_header, chunk(b"IDAT", b"\x78\x9cgarbage"), end), refused("")),
        "too-few-rows.png": (made(header(3, 3, 8, GREY), idat, end), refused("")),
        "zero-width.png": (made(header(0, 2, 8, GREY), idat, end), refused("")),
        "zero-height.png": (made(header(3, 0, 8, GREY), idat, end), refused("")),
        "huge.png": (made(header(2**31 - 1, 2**31 - 1, 8, GREY), idat, end), refused("")),
        "huge-sides.png": (made(header(2**16, 2**16, 16, COLOUR_ALPHA), idat, end), refused("")),
        "lying-size.png": (made(header(8192, 8192, 8, GREY), idat, end), refused("")),
        "depth-3.png": (made(header(3, 2, 3, GREY), idat, end), refused("")),
        "colour-16-palette.png": (made(header(3, 2, 16, PALETTE), palette, idat, end), refused("")),
        "colour-type-5.png": (made(header(3, 2, 8, 5), idat, end), refused("")),
        "filter-type-9.png": (made(image_header, chunk(b"IDAT", zlib.compress(b"\x09\0\1\2\0\x80\xfe\xff")), end), refused("")),
        "interlace-2.png": (made(header(3, 2, 8, GREY, interlaced=2), idat, end), refused("")),
        "compression-1.png": (made(header(3, 2, 8, GREY, method=1), idat, end), refused("")),
        "chunk-length-huge.png": (made(image_header, chunk(b"IDAT", b"1234", length=2**31 - 1)), refused("")),
        "text-bomb.png": (made(image_header, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(8 << 20), 9)), idat[:-6]), refused("")),
    }
