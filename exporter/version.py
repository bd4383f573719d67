"""The version of this program, as it was installed."""

from importlib import metadata


def version() -> str:
    """Return the version; "unknown" in a checkout that is not installed."""
    try:
        return metadata.version("jouled")
    except metadata.PackageNotFoundError:
        return "unknown"
