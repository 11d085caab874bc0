"""The executors of this benchmark."""
