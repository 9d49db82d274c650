"""Contract of the exports of all models."""

import io

import numpy as np
import pytest
from PIL import Image

from discogan_tf.data.domains import load_domain
from discogan_tf.export import c_api, parity
from discogan_tf.export.bundle import export
from discogan_tf.export.formats import FORMATS
from discogan_tf.export.versions import Version
from discogan_tf.models import create_inference_model
from discogan_tf.models.contract import by_display_name
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.tiling import translate_any_size


# The generators of the first are those of the next two, which have no inverse.
@pytest.fixture(
    params=[
        "discogan",
        *(pytest.param(m, marks=pytest.mark.slow) for m in ("recon_gan", "gan", "cyclegan")),
    ],
    scope="module",
)
def run_and_export(request, make_run, cyclegan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    settings = cyclegan if request.param == "cyclegan" else {"model": request.param}
    config = make_run(folder / "run", **settings)
    # Other models have these generators, too: their forms beside SavedModel would be the same.
    forms = FORMATS if request.param in ("discogan", "cyclegan") else ()
    export(config, folder / "exported", formats=("saved_model", *forms))
    return config, folder / "exported"


def test_every_way_to_run_an_export_gives_what_the_network_gives(run_and_export):
    config, exported = run_and_export
    model = create_inference_model(config)
    restore_generators(exported.parent / "run", model)
    images = (
        load_domain(config.data_dir, config.domain_a, "val", 32).images[:].astype(np.float32) / 255
    )
    directions = by_display_name(model, config.display_names)
    assert {path.name for path in exported.iterdir() if path.is_dir()} == directions.keys()
    for display_name, (name, _, _, inverse) in directions.items():
        folder = exported / display_name / "1"
        expected = model.generators[name](images).numpy()
        assert expected.std() > 0.02  # Or anything would agree.
        version = Version(folder)
        answers = {
            "Python": version.run("serving_default", {"images": images})["translated"],
            "C API": parity.run_c_api(folder, {"images": images}),
        }
        for chosen, form in FORMATS.items():
            if (folder / form.file_name).exists():
                answers[chosen] = form.load(folder / form.file_name)({"images": images})
        for way, answer in answers.items():
            formats = parity.format_tolerance(model.generators[name])
            tolerance = formats if way in FORMATS else parity.TOLERANCE
            np.testing.assert_allclose(answer, expected, atol=tolerance, err_msg=way)
        assert ("cycle" in version.signatures) == (inverse is not None)
        if inverse:
            cycle = version.run("cycle", {"images": images})
            np.testing.assert_allclose(
                cycle["reconstructed"], model.generators[inverse](expected), atol=1e-4
            )


@pytest.mark.parametrize("size", [7, 64])
def test_an_image_does_not_depend_on_its_batch(run_and_export, size):
    _, exported = run_and_export
    rng = np.random.default_rng(0)
    images = rng.random((64, 32, 32, 3), np.float32)
    for folder in exported.glob("*/1"):
        version = Version(folder)

        def run(batch, version=version):
            return version.run("serving_default", batch)["translated"]

        inputs = {"images": images}
        alone = parity.in_batches(run, inputs, 1)
        np.testing.assert_allclose(parity.in_batches(run, inputs, size), alone, atol=1e-5)


def test_the_card_describes_the_model(run_and_export):
    config, exported = run_and_export
    card = (exported / "MODEL_CARD.md").read_text()
    assert "Image translation, handbags2shoes" in card
    assert ("reconstruction must equal" in card) == (config.model != "gan")
    is_residual = config.architecture == "resnet"
    assert ("whatever the size of the input" in card) != is_residual
    assert ("at their own size" in card) == is_residual
    assert ("Batch norm is folded" in card) != is_residual


def test_the_c_api_says_what_is_wrong(run_and_export):
    _, exported = run_and_export
    with pytest.raises(RuntimeError, match="no operation"):
        c_api.run(
            next(exported.glob("*/1")), {"absent:0": np.zeros((1,), np.float32)}, ["absent:0"]
        )


def _png(rng, height, width):
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_files_are_translated_at_the_size_that_networks_allow(run_and_export):
    """At their own, as `translate --keep_size` does, or at that of the training images."""
    config, exported = run_and_export
    rng = np.random.default_rng(0)
    sizes = [(50, 90), (3, 5), (32, 32)]
    files = np.array([_png(rng, *size) for size in sizes], object)
    model = create_inference_model(config)
    restore_generators(exported.parent / "run", model)
    version = Version(exported / "handbags2shoes" / "1")
    answers = version.run("translate_bytes", {"image_bytes": files})["image_bytes"]
    for size, file, answer in zip(sizes, files, answers, strict=True):
        found = np.asarray(Image.open(io.BytesIO(answer)), int)
        if not model.size_multiple:
            assert found.shape == (32, 32, 3)
            continue
        image = np.asarray(Image.open(io.BytesIO(file)), np.float32) / 255
        expected = translate_any_size(
            lambda x: model.generators["a_to_b"](x).numpy(), image, model.size_multiple
        )
        assert found.shape == (*size, 3)
        assert np.abs(found - 255 * expected).max() <= 1


def test_a_request_of_too_many_pixels_is_refused(run_and_export):
    """Before anything is decoded; images that are scaled down count as large as they become."""
    config, exported = run_and_export
    if config.architecture != "resnet":
        pytest.skip("translates at the size of the training images")
    version = Version(exported / "handbags2shoes" / "1")
    large = io.BytesIO()
    Image.new("L", (2000, 1000), 255).save(large, "PNG")
    files = np.array([large.getvalue()] * 9, object)
    with pytest.raises(Exception, match="send fewer images at once"):
        version.run("translate_bytes", {"image_bytes": files})
