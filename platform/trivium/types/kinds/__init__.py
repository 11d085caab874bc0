"""The kinds of fields, one a module: a module added here is found by `trivium.types.rows.all_kinds`."""
