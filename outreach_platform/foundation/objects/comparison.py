"""Whether the store holds the object that was confirmed there, asked without fetching it."""

from outreach_platform.foundation.objects.protocol import ObjectStore


def object_problem(store: ObjectStore, key: str, sha256: str, size: int | None) -> str | None:
    """What is wrong with one object, None where the store records the checksum that is sought.

    An object without a checksum is a problem whatever its size: every upload of ours records one,
    so something else put it there, and only its bytes, which nobody fetches here, could say what
    it is. Who wants to know restores the version into a folder of its own.

    Args:
        store: the bucket.
        key: the object's key.
        sha256: the checksum that was confirmed, lower-case hex.
        size: its bytes, None where nobody noted them.

    Raises:
        StoreError: the store cannot be asked, or refuses.
    """
    standing = store.head(key)
    if standing is None:
        return f"{key} is gone from the object store"
    if size is not None and standing.size != size:
        return (
            f"{key} holds other content in the object store: {standing.size:,} bytes, "
            f"{size:,} were confirmed"
        )
    if standing.sha256 is None:
        return (
            f"{key} carries no checksum in the object store, so something else than an upload of "
            "this platform put it there"
        )
    if standing.sha256 != sha256:
        return f"{key} holds other content in the object store: its checksum is another"
    return None
