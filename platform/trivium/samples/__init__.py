"""Golden samples: an executor's examples, run and compared."""
