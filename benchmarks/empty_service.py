"""Two BentoML services that do nothing, as the minimum cost of a server like ours."""

import bentoml


@bentoml.service(name="empty-behind", workers=1)
class EmptyBehind:
    """A service in place of the embedder."""

    @bentoml.api
    def nothing(self) -> str:
        """Nothing."""
        return ""


@bentoml.service(name="empty", workers=1, metrics={"enabled": False})
class Empty:
    """A service in place of the image search."""

    behind = bentoml.depends(EmptyBehind)

    @bentoml.api
    def nothing(self) -> str:
        """Nothing."""
        return ""
