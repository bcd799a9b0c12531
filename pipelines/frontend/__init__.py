"""From a model to linalg on tensors: `imported.import_model` is the way in."""
