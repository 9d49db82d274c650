"""The networks, named for their architecture. They know nothing of losses or of training."""
