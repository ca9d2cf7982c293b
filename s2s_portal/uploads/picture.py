"""Reading a picture, and drawing it anew: what hides in it, and where it was taken, is left out."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image, ImageOps

from s2s_portal.uploads.formats import Unacceptable

MOST_PIXELS = 50_000_000  # the largest that phones take
JPEG_QUALITY = 90
BROKEN = "This picture cannot be read: it is damaged or not whole. Save it again, and attach that"
TOO_LARGE = "This picture has too many pixels. Make it smaller, and attach that"


def look(content: bytes, kind: str) -> bytes:
    """The picture drawn anew as `kind` ("JPEG" or "PNG"), the right way up.

    Pixels alone are kept: no place or camera, no second picture, nothing after its end. Raises
    Unacceptable.
    """
    try:
        with warnings.catch_warnings(action="ignore"), _opened(content, kind) as found:
            if found.width * found.height > MOST_PIXELS:
                raise Unacceptable(TOO_LARGE)
            found.verify()
        with _opened(content, kind) as found:
            found.load()
            return _drawn(ImageOps.exif_transpose(found), kind)
    except Image.DecompressionBombError as error:
        raise Unacceptable(TOO_LARGE) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise Unacceptable(BROKEN) from error


def _opened(content: bytes, kind: str) -> Image.Image:
    return Image.open(BytesIO(content), formats=[kind])


def _drawn(picture: Image.Image, kind: str) -> bytes:
    made = BytesIO()
    if kind == "JPEG":
        picture.convert("L" if picture.mode == "L" else "RGB").save(
            made, kind, quality=JPEG_QUALITY
        )
        return made.getvalue()
    see_through = "A" in picture.mode or "transparency" in picture.info
    picture.convert("RGBA" if see_through else "RGB").save(made, kind)
    return made.getvalue()
