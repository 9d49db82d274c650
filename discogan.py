"""One command for everything: `discogan COMMAND ...`, each the same as its module.

discogan train --flagfile=bags_shoes.cfg
"""

import runpy
import sys

# Command -> the module that it runs, and what it is for.
COMMANDS = {
    "prep": ("data_prep", "prepare images: archives, folders, captions, the synthetic sample"),
    "train": (None, "train a run, or resume it"),
    "translate": ("discogan_tf.translate", "translate your images with a run"),
    "generate": ("discogan_tf.generate", "generate images from sentences with a run"),
    "match": ("discogan_tf.match", "find the items of a catalog that match an image"),
    "demo": ("discogan_tf.demo", "a page to try a run or an export"),
    "evaluate": ("discogan_tf.evaluate", "measure how good a run's translations are"),
    "report": ("discogan_tf.report", "write one page with everything about a run"),
    "compare": ("discogan_tf.compare", "show runs side by side"),
    "export": ("discogan_tf.export_command", "export a run for servers and other runtimes"),
    "serve": ("discogan_tf.serving.server", "serve an export"),
    "client": ("discogan_tf.serving.client", "translate images with a server"),
}
_FIRST = """\
To begin, without a download: train on a synthetic sample for five minutes.

    discogan prep sample
    discogan train --domain_a=sample_edges2handbags/photo --domain_b=sample_edges2shoes/photo \\
        --discriminator_normalization=batch --beta_1=0.5 --color_weight=0.2 \\
        --num_steps=900 --workdir=runs/first
    discogan demo --workdir=runs/first
"""


def train(argv: list[str]) -> None:
    """Prepares what a run is missing, then trains it. For `absl.app.run`."""
    from discogan_tf import train as training

    training.main(argv, prepare=_prepare)


def _prepare(config) -> None:
    from data_prep.errors import PreparationError
    from data_prep.prepare import prepare_missing

    if config.distribute == "multi_worker":
        return  # All workers would prepare the same data at once.
    try:
        for size in {config.image_size, config.load_size} - {0}:
            prepare_missing(config.data_dir, tuple(config.domains.values()), size)
    except PreparationError as error:
        sys.exit(f"error: {error}")


def _run_training() -> None:
    from absl import app

    from discogan_tf import train as training
    from discogan_tf.flags import define_training_flags

    sys.modules["__main__"].__doc__ = training.__doc__  # For --help.
    define_training_flags()
    app.run(train)


def usage() -> str:
    """What there is, and what to do first."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {purpose}" for name, (_, purpose) in COMMANDS.items()]
    first = "usage: discogan COMMAND [--FLAG=VALUE ...]; --help lists the flags of a command"
    return "\n".join([first, "", *lines, "", _FIRST])


def main() -> None:
    """The console command."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h", "help"):
        print(usage(), end="")
        return
    if name not in COMMANDS:
        sys.exit(f"error: no command {name!r}. {usage()}")
    module, _ = COMMANDS[name]
    sys.argv = [f"discogan {name}", *sys.argv[2:]]
    if module:
        # In place of this module, so that --help describes the command.
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        _run_training()


if __name__ == "__main__":
    main()
