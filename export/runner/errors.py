"""The error of everything that can be wrong with an artifact, or with how it is called."""


class ArtifactError(Exception):
    """The one who deploys an artifact must act: says what, wanted, got, and what to do."""
