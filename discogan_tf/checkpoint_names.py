"""How a checkpoint is named on the command line; apart, so that `--help` need not wait for TensorFlow."""

LAST, BEST = "last", "best"
CHECKPOINT_HELP = (
    "last; best, by the validation score of both directions; best_DIRECTION, such as best_handbags2shoes; "
    "or the step of a checkpoint that the run has kept."
)
