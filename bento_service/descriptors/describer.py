"""Decoding and describing of pictures with one preprocessing."""

from dataclasses import dataclass

from bento_service.descriptors.describing import Describe
from bento_service.pictures.formats import Colour, Region
from bento_service.pictures.picture import Decoder, Picture, Source


@dataclass(frozen=True)
class Describer:
    """A decoder and a model that share one preprocessing.

    Attributes:
        decoder: Decodes pictures.
        describe: Describes decoded pictures.
        side: Height and width of the decoded pictures, in pixels.
        padding: The colour that makes a picture square; see `pictures.square.square`.
    """

    decoder: Decoder
    describe: Describe
    side: int
    padding: Colour | None = None

    def decode(
        self, source: Source, *, region: Region | None = None, sender: str | None = None
    ) -> Picture:
        """Decode a picture to a square that can be described.

        Args:
            source: The encoded picture.
            region: The part of the upright picture to keep; all of it if `None`.
            sender: The caller that waits for the answer; `None` for a job.

        Raises:
            LookalikeError: See `Decoder`.
        """
        return self.decoder.decode(
            source, side=self.side, padding=self.padding, region=region, sender=sender
        )
