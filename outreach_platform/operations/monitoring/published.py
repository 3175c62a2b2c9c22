"""The newest published versions of a state, without reading all that came before them."""

from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.records import Manifest, Receipt, read_published


def newest_published(
    folder: StateFolder, count: int = 1
) -> tuple[list[tuple[Manifest, Receipt]], list[str]]:
    """The records of a state's newest versions that can be read.

    Args:
        folder: the state's paths.
        count: of versions.

    Returns:
        Up to `count` pairs, newest first, and a sentence for each newer version whose records are
        damaged.
    """
    found: list[tuple[Manifest, Receipt]] = []
    damaged: list[str] = []
    for version in reversed(folder.published_versions()):
        if len(found) == count:
            break
        try:
            found.append(read_published(folder, version))
        except IntegrityError as error:
            damaged.append(str(error))
    return found, damaged
