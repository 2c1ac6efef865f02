"""How each kind of layer is painted: one function for each, registered by its kind; a module here registers when it is imported.

The drawing is ours, without a scene of objects: a pane asks for its layers and paints them one after the other. Measured on two
cores in software rendering, nine panes of 256 x 256 with error maps and x-t profiles: 270 grids a second under Xvfb and 311
offscreen, where nine bare pyqtgraph ImageItems make 266 and a grid of its ImageViews 38. What a user drags is a small tool
(:mod:`app.views.tools`) and a layer; pyqtgraph keeps the plots. ``myoscope bench display`` measures it again.
"""
