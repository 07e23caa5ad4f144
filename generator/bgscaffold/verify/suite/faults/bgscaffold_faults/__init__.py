"""The domain `faults`: it is copied into a rendered project, as app/faults/."""
