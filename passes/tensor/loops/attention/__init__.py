"""Softmax over keys and the sums that go with its exponentials: what makes them, and the same for some of the keys."""
