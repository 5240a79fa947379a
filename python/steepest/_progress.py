"""What one sees of a run: a line that is rewritten, and a small picture of its curve."""

import sys
from typing import Any


class Live:
    """A line that says how far a run is: in a notebook or a terminal, elsewhere nothing."""

    def __init__(self) -> None:
        self._shown: Any = None
        self._place = self._last = ""
        self._is_notebook = _is_notebook()
        self._is_terminal = not self._is_notebook and sys.stderr is not None and sys.stderr.isatty()

    def glance(self, done: int, total: int, epoch: int, loss: float) -> None:
        """So many steps of all are done."""
        self._place = f"{100 * done // max(total, 1):>3} %  epoch {epoch}  loss {loss:.4f}"
        self._show(self._place + self._last)

    def report(self, line: dict) -> None:
        """A report came."""
        names = {"accuracy": "accuracy", "val_loss": "validation loss", "val_accuracy": "validation accuracy"}
        parts = [f"{text} {line[name]:.4f}" for name, text in names.items() if line[name] is not None]
        self._last = "  |  " + ", ".join(parts) if parts else ""
        self._show(self._place + self._last)

    def end(self) -> None:
        """The run is over; in a terminal the line goes."""
        if self._is_terminal and self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _show(self, line: str) -> None:
        if self._is_terminal:
            self._shown = True
            sys.stderr.write(f"\r\x1b[K{line[:120]}")
            sys.stderr.flush()
        if not self._is_notebook:
            return
        from IPython.display import display

        if self._shown is None:
            self._shown = display(_Line(line), display_id=True)
        else:
            self._shown.update(_Line(line))


class _Line:
    """Text as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _is_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


def curve(history: list[dict], width: int = 360, height: int = 120) -> str:
    """Training loss (grey) and validation loss (blue) over the reports, from 0 up, as an SVG."""
    lines = {"loss": "#999", "val_loss": "#06c"}
    points = {name: [(i, line[name]) for i, line in enumerate(history) if line[name] is not None] for name in lines}
    top = max((y for line in points.values() for _, y in line), default=0)
    if len(history) < 2 or not 0 < top < float("inf"):
        return ""
    x, y = (width - 8) / (len(history) - 1), (height - 20) / top
    drawn = "".join(
        f'<polyline fill="none" stroke="{lines[name]}" stroke-width="1.5" points="'
        + " ".join(f"{4 + i * x:.1f},{height - 4 - value * y:.1f}" for i, value in line)
        + '"/>'
        for name, line in points.items()
    )
    label = f'<text x="4" y="11" font-size="11" fill="#666">loss, {top:.3g} at most (grey: training, blue: validation)</text>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{label}{drawn}</svg>'
