"""The hard cluster of the job tests, for every module here."""

from tests.integration.test_job_submit import bare_python, cluster, copy_of_repository

__all__ = ["bare_python", "cluster", "copy_of_repository"]
