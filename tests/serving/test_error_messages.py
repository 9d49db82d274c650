import pytest

from discogan_tf.serving.error_messages import plain_reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "Graph execution error:\n\nat x\nassertion failed: [images: [too] dark]\n\t [[{{x}}]]",
            "images: [too] dark",
        ),
        (
            "Graph execution error:\n\nDetected at x\nInvalid PNG data, size 7\n\t [[{{x}}]]",
            "Invalid PNG data, size 7",
        ),
        ("Servable not found", "Servable not found"),
        ("", "no reason given"),
    ],
)
def test_only_what_helps_is_left(message, reason):
    assert plain_reason(message) == reason
