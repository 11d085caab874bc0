"""An executor tried out on data at hand, as in a notebook: in this process, or on a Ray cluster."""
