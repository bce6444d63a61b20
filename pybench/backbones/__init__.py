"""What turns images into feature maps: pre-trained networks, and features that need no weights."""
