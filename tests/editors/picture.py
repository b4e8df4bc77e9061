"""What a terminal shows, as a picture: text with colours becomes a page, and Chromium renders it.

`tests/editors/terminal.py` has the terminal: `Terminal.picture(path, title)`.
"""

from __future__ import annotations

import html
import re
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

FOREGROUND, BACKGROUND = "#d8dee9", "#14161b"
# the 16 named colours: a calm dark palette, every one readable on the background
PALETTE = (
    *("#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9"),
    *("#7b869c", "#ff7a85", "#b5e890", "#f2d08a", "#82c4ff", "#d99bee", "#7fd5dd", "#ffffff"),
)
SGR = re.compile(r"\x1b\[([\d;:]*)m")
OTHER_ESCAPES = re.compile(r"\x1b\[[\d;:?]*[A-Za-ln-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|[\x0e\x0f]")
PAGE = """<!doctype html><meta charset="utf-8"><style>
html, body {{ margin: 0; background: transparent }}
.window {{ margin: 0; background: {background}; color: {foreground}; border: 1px solid #3b4252; overflow: hidden;
          width: {width}px; height: {height}px; box-sizing: border-box }}
.bar {{ height: 28px; background: #2b303b; color: #9aa5b8; font: 13px/28px "DejaVu Sans"; text-align: center }}
pre {{ margin: 0; padding: 8px 10px; font: 14px/18px "DejaVu Sans Mono", monospace; font-variant-ligatures: none }}
pre div {{ height: 18px; white-space: pre; overflow: hidden }}
span {{ display: inline-block; height: 18px; vertical-align: top }}
</style><div class="window"><div class="bar">{title}</div><pre>{lines}</pre></div>"""


@dataclass(frozen=True)
class Style:
    """What SGR (ECMA-48, 8.3.117) has set so far."""

    fg: str | None = None
    bg: str | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: str | None = None
    strike: bool = False
    reverse: bool = False

    def css(self) -> str:
        fg, bg = self.fg or FOREGROUND, self.bg
        if self.reverse:
            fg, bg = bg or BACKGROUND, fg
        rules = [f"color:{fg}"]
        if bg:
            rules.append(f"background:{bg}")
        if self.bold:
            rules.append("font-weight:bold")
        if self.dim:
            rules.append("opacity:.6")
        if self.italic:
            rules.append("font-style:italic")
        if self.underline or self.strike:
            lines = f"{'underline ' if self.underline else ''}{'line-through ' if self.strike else ''}"
            rules.append(f"text-decoration:{lines}{self.underline or 'solid'}")
        return ";".join(rules)


SET: dict[int, dict[str, object]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    4: {"underline": "solid"},
    7: {"reverse": True},
    9: {"strike": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": None},
    27: {"reverse": False},
    29: {"strike": False},
    39: {"fg": None},
    49: {"bg": None},
    **{30 + i: {"fg": PALETTE[i]} for i in range(8)},
    **{40 + i: {"bg": PALETTE[i]} for i in range(8)},
    **{90 + i: {"fg": PALETTE[8 + i]} for i in range(8)},
    **{100 + i: {"bg": PALETTE[8 + i]} for i in range(8)},
}
UNDERLINES = {"0": None, "1": "solid", "2": "double", "3": "wavy", "4": "dotted", "5": "dashed"}


def indexed(colour: int) -> str:
    """One of xterm's 256 colours."""
    if colour < 16:
        return PALETTE[colour]
    if colour >= 232:
        return f"#{(colour - 232) * 10 + 8:02x}" + f"{(colour - 232) * 10 + 8:02x}" * 2
    levels = [0 if part == 0 else 55 + 40 * part for part in divmod((colour - 16) // 6, 6)]
    levels.append(0 if (colour - 16) % 6 == 0 else 55 + 40 * ((colour - 16) % 6))
    return "#" + "".join(f"{level:02x}" for level in levels)


def styled(style: Style, parameters: str) -> Style:
    """`style` after one `ESC [ parameters m`."""
    words = iter(parameters.split(";"))
    for word in words:
        code, *sub = word.split(":")
        if code in {"", "0"}:
            style = Style()
        elif code == "4" and sub:
            style = replace(style, underline=UNDERLINES.get(sub[0], "solid"))
        elif code in {"38", "48", "58"}:
            kind = sub or [next(words, "5")]
            count = 1 if kind[0] == "5" else 3
            rest = [part for part in kind[1:] if part] if sub else [next(words, "0") for _ in range(count)]
            colour = indexed(int(rest[0])) if count == 1 else "#" + "".join(f"{int(part):02x}" for part in rest[-3:])
            if code != "58":  # the underline's own colour: drawn in the text's
                style = replace(style, **{"fg" if code == "38" else "bg": colour})  # type: ignore[arg-type]
        else:
            style = replace(style, **SET.get(int(code), {}))  # type: ignore[arg-type]
    return style


def spans(line: str, style: Style) -> tuple[str, Style]:
    """One captured line as HTML, and the style in force at its end."""
    made: list[str] = []
    for i, part in enumerate(SGR.split(OTHER_ESCAPES.sub("", line))):
        if i % 2:
            style = styled(style, part)
        elif part:
            made.append(f'<span style="{style.css()}">{html.escape(part)}</span>')
    return "".join(made), style


def page(captured: str, columns: int, rows: int, title: str) -> tuple[str, int, int]:
    """A terminal's captured text as a page, with its width and height in pixels."""
    style, lines = Style(), []
    for line in captured.split("\n")[:rows]:
        made, style = spans(line, style)
        lines.append(f"<div>{made}</div>")
    width, height = round(columns * 8.43) + 24, rows * 18 + 48
    return (
        PAGE.format(
            background=BACKGROUND,
            foreground=FOREGROUND,
            width=width,
            height=height,
            title=html.escape(title),
            lines="".join(lines),
        ),
        width,
        height,
    )


def render(document: str, width: int, height: int, to: Path) -> None:
    """Let a headless Chromium draw the page, at twice the size for sharp text."""
    with tempfile.TemporaryDirectory(prefix="rdev-picture-") as folder:
        source = Path(folder, "page.html")
        source.write_text(document)
        to.parent.mkdir(parents=True, exist_ok=True)
        argv = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
        ]
        argv += [
            "--force-device-scale-factor=2",
            f"--window-size={width},{height}",
            f"--user-data-dir={folder}/profile",
        ]
        argv += [f"--screenshot={to.absolute()}", source.as_uri()]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)
        assert to.exists(), done.stderr
