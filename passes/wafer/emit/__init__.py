"""From fragments to program text: what repeats is found and becomes a loop."""
