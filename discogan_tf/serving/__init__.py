"""Serving of exports: a server, and clients for it and for TensorFlow Serving."""
