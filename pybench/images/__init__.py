"""Images: files to arrays, warps, and where a pixel of an image lies in a model's input."""
