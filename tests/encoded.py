"""What tests of encoders of images share: pictures, and the vectors that an encoder makes of them."""

import io

import numpy as np
from PIL import Image

from equipoise.encoders import load_encoder


def file_of(picture):
    """A picture as the bytes of a PNG."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def photograph():
    """scikit-image's: 512 x 400 pixels of the astronaut, so that resizing and cropping show."""
    from skimage import data

    return Image.fromarray(data.astronaut()[:400])


def encoded(name, *contents, **options):
    """The vectors of contents, (n, d)."""
    encoder = load_encoder(name, **options)
    return encoder.encode([encoder.decode(content) for content in contents])


def vector_of(module, batch):
    """A torch module's own output for one prepared picture, (d,)."""
    import torch

    with torch.inference_mode():
        return np.asarray(module.eval()(batch[None])[0])
