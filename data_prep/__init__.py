"""Archives and folders of images -> prepared domains on disk.

It meets `discogan_tf` only as files, and imports nothing of it. A prepared data set is a TensorFlow
Datasets folder, `DATA_DIR/DATASET/SIZEpx/VERSION`, whose features are its domains and `name`.
"""
