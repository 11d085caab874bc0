"""Tests of the repository: a package, so that no installed one of the same name hides this folder."""
