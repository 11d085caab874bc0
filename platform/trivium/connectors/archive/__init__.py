"""Archives of any format as a batch source: units of work, the columns read of them, their events in bounded memory."""
