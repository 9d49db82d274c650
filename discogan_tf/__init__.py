"""DiscoGAN on TensorFlow 2: learns to translate between two sets of unpaired images."""
