"""The networks, named for their architecture. They depend on neither losses nor training."""
