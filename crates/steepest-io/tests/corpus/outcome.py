"""What must come of a file."""


def read(inputs: list, targets: list | None = None, image: tuple | None = None) -> dict:
    """It is read: rows of inputs, targets (class names or numbers), height and width of images."""
    return {"inputs": inputs, "targets": targets, "image": image}


def refused(message: str) -> dict:
    """It is refused, and the message contains this."""
    return {"refused": message}
