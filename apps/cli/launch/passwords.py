"""Random secrets of this installation, made once and kept where only their user can read them."""

import os
import secrets
from pathlib import Path


def secret(folder: Path, name: str) -> str:
    """Return the secret of this name, made on first use (256 random bits, mode 0600)."""
    path = folder / name
    try:
        # Exclusive creation: of two starts at once one makes the secret and both read the same.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32))
    value = path.read_text().strip()
    if value:
        return value
    path.unlink()  # made by a start that was killed between creating and writing
    return secret(folder, name)
