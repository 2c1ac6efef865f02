"""How each kind of layer is painted: one function for each, registered by its kind; a module here registers when it is imported.

The drawing is ours, without a scene of objects: a pane asks for its layers and paints them one after the other. Measured on two
free cores in software rendering, the grid alone repaints nine panes of 256 x 256 with error maps and x-t profiles at 270 (Xvfb) to
311 (offscreen) frames a second, where nine bare pyqtgraph ImageItems make 266 and a grid of its ImageViews 38. With a step of
the session, the player and the tables round it the window takes several times as long. What a user drags is a small tool
(:mod:`app.views.tools`) and a layer; pyqtgraph keeps the plots. ``myoscope bench display`` measures it again.
"""
