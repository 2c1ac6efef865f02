"""One panel for each part of the window; a controller has the same file name."""
