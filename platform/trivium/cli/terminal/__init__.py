"""Tables, text and problems on a terminal."""
