"""Preparation of data: archives and folders of images -> prepared domains on disk.

It shares nothing with `discogan_tf` but files, and imports nothing of it. A prepared data set is a
TensorFlow Datasets folder, `DATA_DIR/DATASET/SIZEpx/VERSION`, whose features are its domains and
`name`.
"""
