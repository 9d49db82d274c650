"""What a run says in the terminal: a progress bar, lines of losses, and where things are."""

import sys

from tqdm import tqdm

# The chapter prints a line of losses this often.
_PRINT_EVERY_STEPS = 100
# Into a file, the bar is a line every so many seconds.
_SECONDS_BETWEEN_LINES = 30


class Progress:
    """The bar of one run, with speed, time left and losses. A context manager.

    Args:
      first_step: The step resumed from.
      num_steps: The last step.
      images_per_step: Pictures, of both domains, that a step learns from.
      visible: False on workers that are not the chief.
    """

    def __init__(self, first_step: int, num_steps: int, images_per_step: int, visible: bool):
        terminal = sys.stderr.isatty()
        self._images_per_step = images_per_step
        self._visible = visible
        self._bar = tqdm(
            total=num_steps,
            initial=first_step,
            unit="step",
            disable=not visible,
            dynamic_ncols=True,
            mininterval=0.2 if terminal else _SECONDS_BETWEEN_LINES,
            bar_format="{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
            if terminal
            else None,
        )

    def advance(self, steps: int) -> None:
        self._bar.update(steps)

    def show_losses(self, step: int, losses: dict[str, float]) -> None:
        if not self._visible:
            return
        rate = self._bar.format_dict["rate"]
        speed = f"{rate * self._images_per_step:.0f} images/s, " if rate else ""
        self._bar.set_postfix_str(
            f"{speed}generators {losses['generator_total']:.3f}, "
            f"discriminators {losses['discriminator_total']:.3f}",
            refresh=False,
        )
        if step % _PRINT_EVERY_STEPS == 0:
            tqdm.write(f"step {step}: " + ", ".join(f"{k} {v:.4f}" for k, v in losses.items()))

    def say(self, words: str) -> None:
        """A line above the bar."""
        if self._visible:
            tqdm.write(words)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._bar.close()
