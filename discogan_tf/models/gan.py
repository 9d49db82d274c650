"""A plain GAN between domains (Kim et al. 2017, figure 2a): the first of their three models."""

from discogan_tf.models.discogan import DiscoGAN


class GAN(DiscoGAN):
    """One translator and a judge of what it draws. Nothing asks which image it drew it for."""

    JUDGED = ("a_to_b",)
    CYCLES = ()
