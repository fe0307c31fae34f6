"""Types of the protocol that this release does not keep, and what to use instead."""

FILES = "Files are kept from a later release on; use a url field for a link to one."
REFUSED = dict.fromkeys(("image", "file", "avatar", "video", "audio"), FILES)
