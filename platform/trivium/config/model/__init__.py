"""The pipeline file as pydantic models."""
