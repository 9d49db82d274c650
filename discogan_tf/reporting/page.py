"""Building blocks of an HTML page in one file, without external scripts, fonts or images."""

import base64
import html
import io
from pathlib import Path

import numpy as np
from PIL import Image

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #8886; }
img { max-width: 100%; height: auto; image-rendering: pixelated; }
.wide { overflow-x: auto; }
.wide img { max-width: none; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { padding: 0.25rem 0.6rem; text-align: left; white-space: nowrap; }
th, td { border-bottom: 1px solid #8884; }
.curves { display: grid; gap: 0.5rem; }
.curves { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.curves svg { width: 100%; height: auto; background: #fff; border-radius: 4px; }
@media (max-width: 40rem) {
  table { font-size: 0.75rem; }
  th, td { padding: 0.25rem 0.3rem; white-space: normal; overflow-wrap: anywhere; }
}
.warning { border-left: 4px solid #c33; background: #c331; padding: 0.3rem 0.8rem; }
input[type=range] { width: 100%; }
pre { overflow-x: auto; font-size: 0.8rem; }
.note { color: #888; font-size: 0.85rem; }
"""


def page(title: str, *sections: str) -> str:
    """A complete document."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def section(title: str, *content: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>\n" + "\n".join(content) + "</section>"


def text(content: str, kind: str = "") -> str:
    """A paragraph; `kind` may be "note" or "warning"."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{html.escape(content)}</p>"


def preformatted(content: str) -> str:
    return f"<pre>{html.escape(content)}</pre>"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table that scrolls on narrow screens."""

    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    content = f"<thead>{line(head, 'th')}</thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{content}</table></div>'


def curves(*svgs: str) -> str:
    return '<div class="curves">' + "".join(f"<div>{svg}</div>" for svg in svgs) + "</div>"


def image(source: Path | np.ndarray, description: str) -> str:
    """An image within the page, from a file or uint8 [height, width, 3].

    It keeps its size, so that labels in it stay legible; on narrow screens it scrolls.
    """
    tag = f'<img alt="{html.escape(description)}" src="{_data_uri(source)}">'
    return f'<div class="wide">{tag}</div>'


def slider(images: dict[str, Path], description: str) -> str:
    """Images (label -> file) of which a slider chooses the visible one; one per page."""
    name = "slider"
    labels = list(images)
    tags = "".join(
        f'<img alt="{html.escape(f"{description}, {label}")}" src="{_data_uri(images[label])}"'
        f"{'' if label == labels[-1] else ' hidden'}>"
        for label in labels
    )
    script = (
        f"document.getElementById('{name}').addEventListener('input', function (event) {{"
        f"var box = document.getElementById('{name}_box');"
        "for (var i = 0; i < box.children.length; i++)"
        "  box.children[i].hidden = i != event.target.value;"
        f"document.getElementById('{name}_label').textContent ="
        "  box.children[event.target.value].alt; });"
    )
    last = len(labels) - 1
    return (
        f'<label for="{name}" id="{name}_label">'
        f"{html.escape(f'{description}, {labels[-1]}')}</label>"
        f'<input type="range" id="{name}" min="0" max="{last}" value="{last}">'
        f'<div class="wide" id="{name}_box">{tags}</div><script>{script}</script>'
    )


def _data_uri(source: Path | np.ndarray) -> str:
    # WebP is a quarter of the size of PNG, without visible loss at this quality.
    file = io.BytesIO()
    opened = Image.open(source) if isinstance(source, Path) else Image.fromarray(source)
    opened.convert("RGB").save(file, "WEBP", quality=90)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
