"""DiscoGAN on TensorFlow 2: learns to translate between two sets of unpaired images.

import discogan_tf

bags_to_shoes = discogan_tf.load("runs/bags_shoes")
shoes = bags_to_shoes.translate(["bag.jpg"], "handbags2shoes")
"""


def load(workdir, checkpoint: str = "last"):
    """Loads the generators of a trained run.

    Args:
      workdir: Folder of the run.
      checkpoint: "last", "best", "best_DIRECTION", or a step.

    Returns:
      A `discogan_tf.translator.Translator`.

    Raises:
      discogan_tf.errors.DiscoganError: if there is no run, or it does not translate images.
    """
    from discogan_tf.startup import silence_startup_logs

    silence_startup_logs()
    # Imported only now, because importing TensorFlow takes seconds.
    from discogan_tf.translator import Translator

    return Translator(workdir, checkpoint)
