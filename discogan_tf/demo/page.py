"""The page itself, made with Gradio. It needs no network and works with the keyboard."""

import contextlib
import html
import re
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from discogan_tf import images as pixels
from discogan_tf.demo.sources import Source
from discogan_tf.image_files import MAX_SENT_PIXELS, open_upright
from discogan_tf.matching.catalog import Catalog
from discogan_tf.text import LENGTH

# As the server accepts them.
_MAX_FILE_MIB = 32
_SHOWN_PIXELS = 256
_MATCHES = 12
# Uploads and results are removed from the disk after an hour; looked for every ten minutes.
_CACHE_SECS = (600, 3600)
_CSS = "footer { display: none !important; } .warning { border-left: 4px solid #c33; }"
_NO_IMAGE = "Choose, drop, paste or photograph an image first."
_NO_SENTENCE = "Write a sentence first."


def create_page(source: Source, folder: Path, catalog: Catalog | None = None) -> gr.Blocks:
    """The page of a run or an export, to be served by `serve`.

    Args:
      source: The run or the export.
      folder: For the images of examples.
      catalog: Whose matches are shown beside each translation of an image.
    """
    names = list(source.checkpoints)
    with gr.Blocks(title=f"Translate: {source.title}", delete_cache=_CACHE_SECS) as page:
        gr.Markdown(f"# {html.escape(source.title)}")
        for warning in source.warnings:
            gr.Markdown(f"**Warning.** {html.escape(warning)}", elem_classes="warning")
        with gr.Row():
            with gr.Column():
                inputs = _text_inputs() if source.takes_text else _image_inputs(source)
                checkpoint, chosen = _checkpoint_input(source)
                button = gr.Button(
                    "Generate" if source.takes_text else "Translate", variant="primary"
                )
            with gr.Column():
                result = _result_image("Image" if source.takes_text else "Translation")
                second = _result_image(
                    "Stage I" if source.takes_text else "Reconstruction: translated back"
                )
                notes = gr.Markdown(elem_id="notes")
        matches = gr.Gallery(
            label="Matches in the catalog", columns=6, height="auto", visible=catalog is not None,
            elem_id="matches",
        )  # fmt: skip

        def run(value, direction, seed, index):
            value = _sentence(value) if source.takes_text else _read(value)
            found = source.run(value, direction, names[int(index)], int(seed))
            items = [] if catalog is None or source.takes_text else _matches(catalog, value)
            rebuilt = found.reconstruction
            return (
                _enlarged(found.output),
                gr.update(
                    value=None if rebuilt is None else _enlarged(rebuilt),
                    visible=rebuilt is not None,
                ),
                "\n\n".join([_size_note(found.output), *found.notes]),
                items,
            )

        outputs, all_inputs = [result, second, notes, matches], [*inputs, checkpoint]
        button.click(run, all_inputs, outputs, api_name="translate")
        quietly = {"inputs": all_inputs, "outputs": outputs, "api_visibility": "private"}

        def run_again(value, *others):
            """For another direction or checkpoint: nothing happens without an input."""
            return run(value, *others) if value else [gr.skip()] * len(outputs)

        if source.takes_text:
            inputs[0].submit(run, **quietly)
        else:
            inputs[0].input(run, **quietly)
            inputs[1].input(run_again, **quietly)
            _examples(source, folder, [*inputs, checkpoint], run, outputs)
        if chosen:
            checkpoint.change(
                lambda index: _checkpoint_name(source, int(index)),
                checkpoint,
                chosen,
                api_visibility="private",
            )
            checkpoint.release(run_again, **quietly)
        with gr.Accordion("How good is it? Metrics and model card", open=False):
            gr.Markdown(source.quality())
    page.queue(max_size=32)
    return page


def serve(page: gr.Blocks, host: str, port: int) -> None:
    """Serves a page until Ctrl-C.

    Raises:
      OSError: if the port is taken.
    """
    page.launch(
        server_name=host,
        server_port=port,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        max_file_size=_MAX_FILE_MIB << 20,
        show_error=True,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css=_CSS,
        ssr_mode=False,
        footer_links=[],
    )
    print(f"Open http://{host}:{port} in a browser. Ctrl-C ends.", flush=True)
    page.block_thread()


def _image_inputs(source: Source) -> list:
    image = gr.Image(
        label="Image: drop, paste, photograph, or choose a file",
        type="filepath",
        image_mode=None,
        sources=["upload", "clipboard", "webcam"],
    )
    # Gradio would open the file with Pillow, without the limits of this project's own reader.
    image.preprocess = lambda uploaded: uploaded.path if uploaded else None
    direction = gr.Radio(source.directions, value=source.directions[0], label="Direction")
    return [image, direction, gr.State(0)]


def _result_image(label: str) -> gr.Image:
    return gr.Image(
        label=label, interactive=False, format="png", buttons=["download", "fullscreen"]
    )


def _examples(source: Source, folder: Path, inputs: list, run: Callable, outputs: list) -> None:
    """Validation images, which are translated by the last checkpoint when one is chosen."""
    image, direction, _, checkpoint = inputs
    last = len(source.checkpoints) - 1
    for number, name in enumerate(source.directions):
        files = []
        for index, example in enumerate(source.examples(name)):
            files.append(str(folder / f"{number}_{index}.png"))
            pixels.write_image(Path(files[-1]), example)

        if files:
            gr.Examples(
                files,
                image,
                [direction, checkpoint, *outputs],
                lambda path, name=name: (name, last, *run(path, name, 0, last)),
                label=f"Examples for {name}",
                cache_examples=False,
                run_on_click=True,
                api_visibility="private",
            )


def _text_inputs() -> list:
    sentence = gr.Textbox(label="Sentence", max_length=LENGTH, placeholder="a red boot")
    seed = gr.Number(0, label="Seed: another number gives another image", precision=0, minimum=0)
    return [sentence, gr.State(None), seed]


def _checkpoint_input(source: Source):
    last = len(source.checkpoints) - 1
    if last == 0:
        return gr.State(0), None
    slider = gr.Slider(0, last, value=last, step=1, label="Checkpoint, from early to late")
    return slider, gr.Markdown(_checkpoint_name(source, last))


def _checkpoint_name(source: Source, index: int) -> str:
    name, step = list(source.checkpoints.items())[index]
    return f"Step {step:,}" + (f" ({name})" if not name.isdecimal() else "")


def _matches(catalog: Catalog, image: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """Images of the nearest items of a catalog, with their names."""
    found = []
    for match in catalog.match(image, _MATCHES):
        with contextlib.suppress(OSError):  # An item that was removed.
            item = pixels.read_image(catalog.images / match.item, _SHOWN_PIXELS)
            found.append((item, f"{match.item} ({match.distance:.2f})"))
    return found


def _read(path: str | None) -> np.ndarray:
    """uint8 [h, w, 3] of an uploaded file.

    Raises:
      gr.Error: with a message for the user.
    """
    if not path:
        raise gr.Error(_NO_IMAGE, print_exception=False)
    try:
        return pixels.as_rgb(open_upright(Path(path).read_bytes(), MAX_SENT_PIXELS))
    except OSError as error:
        raise gr.Error(f"This image cannot be read: {error}", print_exception=False) from error


def _sentence(value: str | None) -> str:
    sentence = re.sub(r"\s+", " ", value or "").strip()
    if not sentence:
        raise gr.Error(_NO_SENTENCE, print_exception=False)
    return sentence


def _enlarged(image: np.ndarray) -> Image.Image:
    size = max(_SHOWN_PIXELS, *image.shape[:2])
    return Image.fromarray(pixels.enlarge(image, size))


def _size_note(image: np.ndarray) -> str:
    height, width = image.shape[:2]
    note = f"Generated at {width} x {height} pixels"
    return f"{note}, shown enlarged." if max(height, width) < _SHOWN_PIXELS else f"{note}."
