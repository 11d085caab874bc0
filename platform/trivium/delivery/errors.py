"""Errors of the table and its storage.

DeliveryError
├── StorageError         the file system refused, or the URI's scheme is not supported
│   └── AlreadyThere     a file was to be put where there is one
├── StorageNotShared     driver and worker see different storage under one URI
├── WrongPipeline        the table belongs to another pipeline
├── UnsupportedFeature   another engine gave the table a feature that is not implemented here
├── SchemaConflict       the table's columns or partitions cannot become the pipeline's
├── LogBroken            entries or checkpoints that readers need are gone
├── FileMismatch         a data file is not what its manifest says
├── PreconditionFailed   the snapshot forbids the commit
│   ├── TopicChanged     a topic is not the one the table's positions are of
│   ├── Overtaken        another batch run committed first; what depends on the last commit is worked out anew
│   └── Fenced           a newer run of the same pipeline and runtime took over
├── CommitRaceLost       every attempt lost against other writers; nothing was committed
└── OutcomeUnknown       it could not be found out whether the commit landed
"""

from __future__ import annotations

from trivium.core.errors import DeliveryError


class StorageError(DeliveryError):
    """The storage refused an operation; the message names the path and what to try."""


class AlreadyThere(StorageError):
    """A file was to be put under a name that another has; nothing was written."""


class StorageNotShared(DeliveryError):
    """A worker does not read what the driver wrote under the same URI."""


class WrongPipeline(DeliveryError):
    """The table carries the name of another pipeline."""


class UnsupportedFeature(DeliveryError):
    """The table uses features of Delta that readers or writers would have to know; the message names each."""


class SchemaConflict(DeliveryError):
    """The table's schema or partition columns cannot become what the pipeline needs; the message shows both."""


class LogBroken(DeliveryError):
    """Log entries that readers need are gone, and no whole checkpoint stands for them; the message names them."""


class FileMismatch(DeliveryError):
    """A data file is missing, cut off, or differs from its manifest; the message names the file and what differs."""


class PreconditionFailed(DeliveryError):
    """The snapshot that would be committed on forbids the commit. Nothing was committed."""


class TopicChanged(PreconditionFailed):
    """A topic of the pipeline is not the one the table's positions are of."""


class Overtaken(PreconditionFailed):
    """Another batch run, of other event days or types, was first; this run goes on with a greater number."""


class Fenced(PreconditionFailed):
    """A newer run of the same pipeline and runtime took over."""


class CommitRaceLost(DeliveryError):
    """Other writers won every attempt. Nothing was committed; the files are kept."""


class OutcomeUnknown(DeliveryError):
    """The commit may or may not have landed, and the table cannot be read to find out."""
