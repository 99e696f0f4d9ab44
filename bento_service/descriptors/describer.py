"""Decoding and describing of pictures with one preprocessing."""

from dataclasses import dataclass

from bento_service.descriptors.describing import Describe
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.picture import Picture, Source
from client_sdk.decoding.formats import Colour, Region


@dataclass(frozen=True)
class Describer:
    """A decoder and a model that share one preprocessing.

    Attributes:
        side: Height and width of the decoded pictures, in pixels.
        padding: The colour that makes a picture square; see `pictures.in_process.decode`.
    """

    decoder: Decoders
    describe: Describe
    side: int
    padding: Colour | None = None

    def decode(
        self, source: Source, *, region: Region | None = None, sender: str | None = None
    ) -> Picture:
        """Decode a picture to a square that can be described; see `Decoders.decode`."""
        return self.decoder.decode(
            source, side=self.side, padding=self.padding, region=region, sender=sender
        )
