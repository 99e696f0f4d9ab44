"""The folder of the model that the service would load."""

from pathlib import Path

import bento_service


def model_folder(models: Path) -> Path:
    """Return the folder of the published model.

    Args:
        models: The models folder of a BentoML home.
    """
    tag = (Path(bento_service.__file__).parent / "model_tag.txt").read_text().strip()
    return models.joinpath(*tag.split(":"))
