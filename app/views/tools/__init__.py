"""What the mouse does in a pane: one tool for each way of using it, registered by name; a module here registers when imported.

==============================  =========================================================
wheel                           step through frames (Shift: slices)
Ctrl + wheel                    zoom about the cursor
left drag                       the chosen tool (pan at first); on something that can be moved: moves it
right or middle drag            window: right widens, down darkens
left double click               whole image again
right or middle double click    automatic window again
==============================  =========================================================

What a tool changes at once is the view of the panes (zoom, or a layer it drags); the rest it tells, and the session decides.
"""
