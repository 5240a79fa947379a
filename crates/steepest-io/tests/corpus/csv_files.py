"""CSV: tables as people have them."""

from idx_files import gz
from outcome import read, refused


def files() -> dict:
    rows, labels = [[0, 255], [1, 2]], ["7", "3"]
    image = [i % 256 for i in range(256)]
    header = "label," + ",".join(f"pixel{i}" for i in range(256)) + "\n"
    torch = "label," + ",".join(f"{r}x{c}" for r in range(1, 17) for c in range(1, 17)) + "\n"
    cells = ",".join(map(str, image))
    table = read(rows, labels)
    texts = {
        "header.csv": ("label,a,b\n7,0,255\n3,1,2\n", table),
        "label-last.csv": ("a,b,label\n0,255,7\n1,2,3\n", table),
        "label-capital.csv": ("A,B,Label\n0,255,7\n1,2,3\n", table),
        "target.csv": ("a,b,target\n0,255,7\n1,2,3\n", table),
        "no-final-newline.csv": ("label,a,b\n7,0,255\n3,1,2", table),
        "crlf.csv": ("label,a,b\r\n7,0,255\r\n3,1,2\r\n", table),
        "crlf-no-final.csv": ("label,a,b\r\n7,0,255\r\n3,1,2", table),
        "cr.csv": ("label,a,b\r7,0,255\r3,1,2\r", table),
        "bom.csv": ("\ufefflabel,a,b\n7,0,255\n3,1,2\n", table),
        "bom-quoted.csv": ('\ufeff"label","a","b"\n7,0,255\n3,1,2\n', table),
        "quoted.csv": ('"label","a","b"\n"7","0","255"\n"3","1","2"\n', table),
        "quoted-comma.csv": ('label,"a,1",b\n7,0,255\n3,1,2\n', table),
        "quoted-newline.csv": ('label,"a\n(cm)",b\n7,0,255\n3,1,2\n', table),
        "quoted-quote.csv": ('label,a,b\n"a ""b""",0,255\nc,1,2\n', read(rows, ['a "b"', "c"])),
        "blanks.csv": ("label, a , b\n 7, 0 , 255\n3,  1,2 \n", table),
        "empty-lines.csv": ("label,a,b\n\n7,0,255\n\n\n3,1,2\n\n", table),
        "semicolons.csv": ("label;a;b\n7;0;255\n3;1;2\n", table),
        "tabs.csv": ("label\ta\tb\n7\t0\t255\n3\t1\t2\n", table),
        "leading-zeros.csv": ("label,a,b\n7,000,255\n3,01,002\n", table),
        "text-classes.csv": ("a,b,class\n0,255,cat\n1,2,dog\n", read(rows, ["cat", "dog"])),
        "unicode-classes.csv": ("a,b,class\n0,255,été\n1,2,猫\n", read(rows, ["été", "猫"])),
        "decimals.csv": ("label,a,b\n7,0.5,-1e3\n3,+2,.25\n", read([[0.5, -1000], [2, 0.25]], labels)),
        "byte-then-decimal.csv": ("label,a,b\n7,0,255\n3,1,256\n", read([[0, 255], [1, 256]], labels)),
        "target-decimals.csv": ("a,b,target\n0,255,7.5\n1,2,3\n", read(rows, [7.5, 3])),
        "no-header-classes.csv": ("0.5,255,cat\n1,2,dog\n", read([[0.5, 255], [1, 2]], ["cat", "dog"])),
        "no-header-class-first.csv": ("cat,0,255\ndog,1,2\n", read(rows, ["cat", "dog"])),
        "counted-names.csv": ("label,0,1\n7,0,255\n3,1,2\n", table),
        "counted-names-last.csv": ("0,1,label\n0,255,7\n1,2,3\n", table),
        "years.csv": ("class,2019,2020\n7,0,255\n3,1,2\n", table),
        "counting-row.csv": ("1,2,cat\n4,5,dog\n", read([[1, 2], [4, 5]], ["cat", "dog"])),
        "savetxt-header.csv": ("# label,a,b\n7,0,255\n3,1,2\n", table),
        "flags.csv": ("label,a,b\n7,True,255\n3,False,2\n", read([[1, 255], [0, 2]], labels)),
        "flags-decimals.csv": ("label,a,b\n7,True,2.5\n3,False,2\n", read([[1, 2.5], [0, 2]], labels)),
        "inf-name.csv": ("label,nan,inf\n7,0,255\n3,1,2\n", table),
        "one-column.csv": ("a\n1\n2\n", read([[1], [2]])),
        "kaggle.csv": (header + f"7,{cells}\n", read([image], ["7"], (16, 16))),
        "kaggle-test.csv": (header[6:] + cells + "\n", read([image], None, (16, 16))),
        "pixel-names.csv": (torch + f"7,{cells}\n", read([image], ["7"], (16, 16))),
        "no-header.csv": (f"7,{cells}\n3,{cells}\n", read([image, image], ["7", "3"], (16, 16))),
        "no-header-table.csv": ("0,255\n1,2\n", read(rows)),
        "header-only-names.csv": ("a,b\n0,255\n1,2\n", read(rows)),

        "empty.csv": ("", refused("is empty")),
        "only-newlines.csv": ("\n\n\n", refused("no data")),
        "only-bom.csv": ("\ufeff", refused("")),
        "only-header.csv": ("label,a,b\n", refused("header")),
        "line-short.csv": ("label,a,b\n7,0,255\n3,1\n", refused("line 3")),
        "line-long.csv": ("label,a,b\n7,0,255\n3,1,2,3\n", refused("line 3")),
        "missing-number.csv": ("label,a,b\n7,0,255\n3,,2\n", refused("line 3, column `a`")),
        "missing-label.csv": ("label,a,b\n7,0,255\n,1,2\n", refused("line 3, column `label`")),
        "text-number.csv": ("label,a,b\n7,0,255\n3,x1,2\n", refused("line 3, column `a`")),
        "not-available.csv": ("label,a,b\n7,0,NA\n3,1,2\n", refused("line 2, column `b`: `NA` stands for a missing value")),
        "nan.csv": ("label,a,b\n7,0,255\n3,nan,2\n", refused("line 3, column `a`")),
        "infinity.csv": ("label,a,b\n7,0,inf\n3,1,2\n", refused("line 2, column `b`")),
        "overflow.csv": ("label,a,b\n7,0,1e999\n3,1,2\n", refused("line 2, column `b`")),
        "decimal-comma.csv": ("label;a;b\n7;0,5;255\n", refused("line 2, column `a`: `0,5`")),
        "decimal-comma-no-header.csv": ("5,1;3,5\n4,9;3,0\n", refused("decimal point")),
        "million-columns.csv": ("," * 30_000, refused("line 1, column `1`: the cell is empty")),
        "hexadecimal.csv": ("label,a,b\n7,0x10,255\n", refused("line 2, column `a`")),
        "thousands.csv": ('label,a,b\n7,"1,000",255\n', refused("line 2, column `a`")),
        "quote-open.csv": ('a,b,label\n0,255,cat\n1,2,"dog\n3,4,cat\n', refused("line 3")),
        "quote-open-header.csv": ('label,"a,b\n7,0,255\n3,1,2\n', refused("")),
        "after-quote.csv": ('label,a,b\n7,"0"5x,255\n', refused("line 2, column `a`")),
        "two-labels.csv": ("label,a,label\n7,0,255\n", refused("`label`")),
        "late-nul-class.csv": ("a,class\n" + "1,x\n" * 2000 + "1,y\0\n2,x\n", refused("line 2002, column `class`")),
        "nul.csv": ("label,a,b\n7,0,25\0\n", refused("")),
        "markup.csv": ("<html><body>429 Too Many Requests</body></html>", refused("web page")),
        "json.csv": ('{"label": [7, 3], "a": [0, 1]}\n', refused("")),
        "prose.csv": ("This is a letter.\nIt has no numbers in it.\n", refused("line 2")),
        "wide-header.csv": (",".join("a" * 3000) + "\n1,2\n", refused("line 2")),
        "one-long-line.csv": ("1" * 30_000, refused("")),
    }
    contents = {name: (text.encode(), outcome) for name, (text, outcome) in texts.items()}
    return contents | {
        "gzip.csv.gz": (gz(texts["header.csv"][0].encode()), table),
        "latin1-class.csv": (b"a,b,class\n0,255,\xe9t\xe9\n1,2,x\n", refused("line 2, column `class`")),
        "latin1-header.csv": (b"\xe9t\xe9,b\n0,255\n1,2\n", read(rows)),
        "escape-sequence.csv": (b"label,\x1b[2Ja\n7,\x1b]0;x\x07\n", refused("\\u{1b}[2Ja")),
        "long-name.csv": (b"x" * 5000 + b",label\nx,1\n", refused("xxx...")),
        "not-utf8-number.csv": (b"label,a,b\n7,\xff\xfe,255\n", refused("line 2, column `a`")),
        "utf16.csv": ("\ufefflabel,a\n7,0\n".encode("utf-16-le"), refused("UTF-16")),
        "utf16-big.csv": ("\ufefflabel,a\n7,0\n".encode("utf-16-be"), refused("UTF-16")),
        "zeros.csv": (bytes(1000), refused("")),
    }
