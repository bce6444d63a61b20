"""Training: the loop that trains methods and backbones, its losses, and synthetic anomalies."""
