"""GAN with a reconstruction loss (Kim et al. 2017, figure 2b): the second of their three models."""

from discogan_tf.models.discogan import DiscoGAN


class ReconGAN(DiscoGAN):
    """A GAN whose images a second translator must lead back, one way: a to b to a.

    Several images of a may still become one of b, told apart by what the way back reads between the
    lines; and what is in b and never drawn is missed.
    """

    JUDGED = ("a_to_b",)
    CYCLES = ("a",)
