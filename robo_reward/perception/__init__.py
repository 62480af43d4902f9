"""From pixels to features: encoders, image transforms on the device, embeddings kept on disk."""
