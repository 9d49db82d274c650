"""The flags of each command of `python -m data_prep`. Importing this defines none."""

from absl import flags

from data_prep.folder import FITS
from data_prep.known_sets import KNOWN_SETS, UNPAIRED_SETS
from data_prep.limits import Limits

_SMALLEST, _LARGEST = 16, 1024


def _define_common() -> None:
    flags.DEFINE_string("data_dir", "data", "Where domains go.")
    flags.DEFINE_integer(
        "image_size",
        64,
        "Height and width of the prepared images in pixels.",
        lower_bound=_SMALLEST,
        upper_bound=_LARGEST,
    )


def _define_limits() -> None:
    for name, words in (
        ("max_bytes", "bytes that an archive unpacks to"),
        ("max_members", "members of an archive, or files of a folder"),
        ("max_image_bytes", "bytes of one image's file"),
        ("max_pixels", "pixels of one image"),
    ):
        default = getattr(Limits(), name)
        flags.DEFINE_integer(name, default, f"Limit: {words}.", lower_bound=1)


def _define_fit() -> None:
    flags.DEFINE_enum(
        "fit",
        "pad",
        FITS,
        "How images become square: pad with the color of their border; crop to the middle; "
        "stretch. Whatever uses the trained run does the same.",
    )


def _define_force() -> None:
    flags.DEFINE_boolean("force", False, "Replace a domain of this name and size.")


def _define_val_share() -> None:
    flags.DEFINE_float("val_share", 0.1, "Fraction of the images for validation.")


def define_pix2pix() -> None:
    """Flags of `pix2pix`."""
    _define_common()
    _define_limits()
    flags.DEFINE_multi_string("archive", [], "An archive; repeat for several.")
    flags.DEFINE_list("halves", [], "Which halves to prepare: photo, edges. By default all.")
    flags.DEFINE_enum("photo_side", None, ["left", "right"], "Side of the photo; by default right.")
    _define_drawing()
    flags.DEFINE_boolean(
        "thicken_edges",
        True,
        "Make lines two pixels thicker before scaling, as in the paper authors' code.",
    )
    flags.DEFINE_multi_enum(
        "download", [], list(KNOWN_SETS), "An archive to download; repeat for several."
    )
    flags.DEFINE_string("sha256", None, "Digest that the one downloaded archive must have.")
    _define_force()


def _define_drawing() -> None:
    flags.DEFINE_string(
        "drawing", None, "Name of the other half; by default as for the known archives, or edges."
    )


def define_folder() -> None:
    """Flags of `folder`."""
    _define_common()
    _define_limits()
    flags.DEFINE_string("name", None, "Name of the domain; by default that of the download.")
    flags.DEFINE_string(
        "images",
        None,
        "The folder, searched at any depth. One with folders trainA, trainB, testA and testB, as "
        "CycleGAN's data sets have, becomes two domains, NAME_a and NAME_b.",
    )
    flags.DEFINE_enum(
        "download", None, list(UNPAIRED_SETS), "One of CycleGAN's data sets to download instead."
    )
    flags.DEFINE_string("val_images", None, "A second folder, with the validation images.")
    _define_val_share()
    _define_fit()
    _define_force()


def define_captions() -> None:
    """Flags of `captions`."""
    _define_common()
    _define_limits()
    flags.DEFINE_string("name", None, "Name of the domain.", required=True)
    flags.DEFINE_string("table", None, "The table: .tsv, .csv or .jsonl.")
    flags.DEFINE_string("images", None, "The folder of the images; by default that of the table.")
    flags.DEFINE_string(
        "archive", None, "A tar archive of the images and, without --table, of the table."
    )
    flags.DEFINE_string("image_column", "image", "Column with the paths of the images.")
    flags.DEFINE_list(
        "caption_columns", [], "Columns with captions; by default caption, captions or title."
    )
    flags.DEFINE_string(
        "type_column", "", "Column with what images show, their class with the color; or type."
    )
    flags.DEFINE_string("color_column", "", "Column with colors; by default color or colour.")
    flags.DEFINE_multi_string(
        "template", [], 'A caption made from columns, such as "{color} {type}"; repeat for several.'
    )
    _define_val_share()
    flags.DEFINE_float(
        "held_out_combinations",
        0.0,
        "Fraction of the combinations of type and color that training never sees.",
    )
    _define_fit()
    _define_force()


def define_sample() -> None:
    """Flags of `sample`."""
    _define_common()
    flags.DEFINE_integer("num_train", 1000, "Training pairs of each kind.")
    flags.DEFINE_integer("num_val", 100, "Validation pairs of each kind.")
    flags.DEFINE_boolean(
        "captions",
        False,
        "Generate captioned images, the domain sample_captions, instead of pairs. About --num_val "
        "of each kind, and a tenth of all combinations of kind and color, become validation "
        "images.",
    )
    _define_force()


def define_check() -> None:
    """Flags of `check`."""
    _define_common()
    _define_limits()
    flags.DEFINE_multi_string(
        "domain", [], "A prepared domain; repeat for several; by default all."
    )
    flags.DEFINE_string("archive", None, "A pix2pix archive instead.")
    flags.DEFINE_string("images", None, "A folder of images instead.")
    _define_fit()
    flags.DEFINE_enum(
        "photo_side",
        None,
        ["left", "right"],
        "Side of the photos in the archive; by default as for the known archives, or right.",
    )
    _define_drawing()
    flags.DEFINE_string("sheet", "check.png", "File of the contact sheet.")
    flags.DEFINE_boolean("json", False, "Print the report as JSON.")
