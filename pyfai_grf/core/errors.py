"""The exception family. A message says what was wrong, the value found, and what to do."""


class GrfError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(GrfError, ValueError):
    """A value, an array or a file from outside cannot be used as it is."""


class QRangeError(InputError):
    """A curve does not cover the q range of a model."""


class BundleError(GrfError):
    """A model bundle is missing, damaged, or made for something else."""


class DeviceError(GrfError):
    """A device was asked for that this machine cannot offer."""
