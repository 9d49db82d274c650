"""Preparation of data: archives and folders of images -> prepared domains on disk.

It shares only files with `discogan_tf` and imports nothing of it. A prepared domain is a TensorFlow
Datasets folder, `DATA_DIR/DOMAIN/SIZEpx/VERSION`, with one feature, `image`.
"""
