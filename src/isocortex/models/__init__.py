"""Who looks: the zoo, the configurable ConvNet, checkpoints, hand-made filter banks."""
