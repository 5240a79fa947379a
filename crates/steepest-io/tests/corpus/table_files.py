"""CSV tables with text and missing values, whose columns are encoded one by one."""

from idx_files import gz
from outcome import read, refused

# Unless said otherwise, numbers stay as they are, what is missing is filled in, and all rows are fitted to.
RECIPE = 'scale = "none"\nmissing = "mean"'


def table(inputs: list, targets: list, recipe: str = RECIPE) -> dict:
    """It is read and encoded with these keys of [data]."""
    return read(inputs, targets) | {"recipe": recipe}


def bad(message: str, recipe: str = RECIPE) -> dict:
    return refused(message) | {"recipe": recipe}


def files() -> dict:
    one_hot = table([[1.5, 1, 0], [2, 0, 1], [3, 1, 0]], ["no", "yes", "no"])
    texts = {
        "text.csv": ("a,city,y\n1.5,Oslo,no\n2,Rome,yes\n3,Oslo,no\n", one_hot),
        "text-semicolons.csv": ("a;city;y\n1.5;Oslo;no\n2;Rome;yes\n3;Oslo;no\n", one_hot),
        "text-blanks.csv": ("a, city, y\n1.5, Oslo ,no\n 2,Rome, yes\n3,  Oslo,no\n", one_hot),
        "text-crlf-bom.csv": ("\ufeffa,city,y\r\n1.5,Oslo,no\r\n2,Rome,yes\r\n3,Oslo,no", one_hot),
        "text-quoted.csv": ('a,city,y\n1.5,"Oslo","no"\n"2","Rome","yes"\n3,"Oslo",no\n', one_hot),
        "text-newline.csv": ('city,y\n"New\nYork",1\nRome,0\nRome,0\nRome,0\n', table([[1, 0], [0, 1], [0, 1], [0, 1]], ["1", "0", "0", "0"])),
        "text-unicode.csv": ("city,y\n東京,a\nÅrhus,b\nzero,b\n", table([[0, 0, 1], [0, 1, 0], [1, 0, 0]], ["a", "b", "b"])),
        "text-of-numbers.csv": ("zip,y\n01,a\nx,b\n1,b\n", table([[1, 0, 0], [0, 0, 1], [0, 1, 0]], ["a", "b", "b"])),
        "no-names.csv": ("1.5,Oslo,7\n2,Rome,8\n3,Oslo,7\n", table([[1.5, 1, 0], [2, 0, 1], [3, 1, 0]], [7, 8, 7], RECIPE + '\ntarget = "3"\ntask = "regression"')),
        "flags.csv": ("f,g,y\ntrue,TRUE,a\nfalse,False,b\ntrue,False,b\n", table([[1, 1], [0, 0], [1, 0]], ["a", "b", "b"])),
        "missing-words.csv": ("a,b,y\n1,?,p\nNA,4,q\n,NaN,q\n3,null,q\n2,None,q\n", table([[1, 4], [2, 4], [2, 4], [3, 4], [2, 4]], list("pqqqq"))),
        "missing-text.csv": ("c,y\nr,1\nb,0\nr,0\n,0\nNA,0\n", table([[0, 1], [1, 0], [0, 1], [0, 1], [0, 1]], list("10000"))),
        "missing-tie.csv": ("c,y\nr,1\nb,0\n,0\n-,0\n", table([[0, 1], [1, 0], [1, 0], [1, 0]], list("1000"))),
        "missing-flag.csv": ("c,y\ntrue,1\nfalse,0\n,0\ntrue,0\n", table([[1], [0], [1], [1]], list("1000"))),
        "regression.csv": ("a,y\n1,10.5\n2,20.25\n3,-1e3\n", table([[1], [2], [3]], [10.5, 20.25, -1000])),
        "negative-classes.csv": ("a,y\n1,-1\n2,1\n3,-1\n4,1\n", table([[1], [2], [3], [4]], ["-1", "1", "-1", "1"])),
        "rare.csv": ("c,y\na,1\na,0\na,0\nb,0\nc,0\n", table([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], list("10000"), RECIPE + "\nmax_categories = 2")),
        "dropped-dates.csv": ("a,d,y\n1,2020-01-01,p\n2,2021-01-01,q\n3,x\x1b,q\n", table([[1], [2], [3]], list("pqq"), RECIPE + '\ndrop = ["d"]')),
        "standard.csv": ("a,b,y\n0,7,p\n2,7,q\n", table([[-1, 0], [1, 0]], ["p", "q"], 'scale = "standard"')),

        "dates.csv": ("a,d,y\n1,2020-01-01,p\n2,2021-12-31,q\n", bad("--drop d")),
        "times.csv": ("a,d,y\n1,12:30,p\n2,7:05,q\n", bad("dates or times")),
        "dates-two.csv": ("a,d 1,e,y\n1,1.2.2020,2 Feb 2020,p\n2,,3 Mar 2021,q\n", bad("--drop 'd 1' --drop e")),
        "missing-refused.csv": ("a,b,y\n1,2,p\n1,,q\n,,q\n", bad("line 4, column `a`", 'missing = "refuse"')),
        "missing-target.csv": ("a,y\n1,p\n2,\n", bad("line 3, column `y`")),
        "no-values.csv": ("a,b,y\n1,,p\n2,NA,q\n", bad("column `b` has no values")),
        "no-columns.csv": ("y,d\np,x\nq,z\n", bad("", RECIPE + '\ndrop = ["d"]')),
        "drop-unknown.csv": ("a,y\n1,p\n2,q\n", bad("`e`", RECIPE + '\ndrop = ["e"]')),
        "same-names.csv": ("a,a,y\n1,x,p\n2,z,q\n", bad("two columns are named `a`")),
        "odd-text.csv": ("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(50)) + "x,1\n", bad("line 52, column `a`: `x`")),
        "decimal-commas.csv": ('a;b;y\n1,5;x;p\n2,25;x;q\n', bad("line 2, column `a`: `1,5`")),
        "infinity.csv": ("a,c,y\ninf,u,p\n2,u,q\n", bad("line 2, column `a`")),
        "too-large.csv": ("a,c,y\n1e308,u,p\n-1e308,u,q\n1e308,u,q\n", bad("column `a`", 'scale = "standard"')),
        "line-short.csv": ("a,c,y\n1,u,p\n2,q\n", bad("line 3")),
        "quote-open.csv": ('a,c,y\n1,u,p\n2,"q\n', bad("line 3")),
        "only-header.csv": ("a,city,y\n", bad("header")),
        "one-class.csv": ("a,city,y\n1,u,p\n2,v,p\n", bad("")),
        "a-class-a-row.csv": ("a,y\n" + "".join(f"{i},c{i}\n" for i in range(40)), bad("40 different texts")),
        "long-text.csv": ("a,c,y\n1," + "x" * 30_000 + ",p\n2,u,q\n", bad("30000 bytes")),
        "nul-text.csv": ("a,c,y\n1,u,p\n" * 400 + "2,u\0,q\n", bad("column `c`")),
        "same-names-many.csv": (",".join(f"c{i % 10}" for i in range(9000)) + ",y\n", bad("two columns")),
    }
    contents = {name: (text.encode(), outcome) for name, (text, outcome) in texts.items()}
    wide = "a," * 1_000_000 + "y\n"
    long = "a,c,y\n" + "".join(f"1,{'x' * 1_000_000}{i},p\n" for i in range(8))
    labels = "a,y\n" + "".join(f"{i % 3},c{i:x}\n" for i in range(9000))
    return contents | {
        "latin1.csv": (b"a,c,y\n1,\xe9t\xe9,p\n2,u,q\n", bad("line 2, column `c`")),
        "latin1-name.csv": (b"\xe9t\xe9,c,y\n1,u,p\n2,u,q\n", table([[1, 1], [2, 1]], ["p", "q"])),
        "escape-sequence.csv": (b"a,\x1b[2J,y\n1,2020-01-01,p\n2,2020-01-01,q\n", bad("\\u{1b}[2J")),
        "million-columns.csv.gz": (gz(wide.encode()), bad("1000001 cells")),
        "long-cells.csv.gz": (gz(long.encode()), bad("1000001 bytes")),
        "labels.csv.gz": (gz(labels.encode()), bad("different texts")),
    }
