"""What `wse compile` makes of a model: IR at any stage, assembly, objects, libraries, programs, saved models."""
