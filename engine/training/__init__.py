"""Training: one configuration, one state, four functions (set up, fit, train one epoch, validate), events as they happen."""
