"""Errors that some caller catches; everything else is a ValueError or TypeError at the door."""


class RoboRewardError(Exception):
    """Root of the errors that the command line prints without a traceback."""


class DataSetError(RoboRewardError):
    """A data set cannot be read as it claims to be; names the file, what was found, what is allowed."""


class OutputError(RoboRewardError):
    """A result cannot be written: the folder exists, belongs to another job, or the disk is full."""


class EncoderError(RoboRewardError):
    """An encoder's weights, runtime, precision or device is not to be had; never replaced by another."""
