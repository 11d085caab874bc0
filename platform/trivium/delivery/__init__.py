"""The delivery floor: files, one commit place, dead letters, resume and merge. See docs and `committer` first."""
