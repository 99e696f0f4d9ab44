"""The least that a server like ours costs with BentoML: two services that do nothing."""

import bentoml


@bentoml.service(name="empty-behind", workers=1)
class EmptyBehind:
    """Stands where the embedder is."""

    @bentoml.api
    def nothing(self) -> str:
        """Nothing."""
        return ""


@bentoml.service(name="empty", workers=1, metrics={"enabled": False})
class Empty:
    """Stands where the image search is."""

    behind = bentoml.depends(EmptyBehind)

    @bentoml.api
    def nothing(self) -> str:
        """Nothing."""
        return ""
