"""Clock, deadlines, fault points and small helpers that every floor may use."""
