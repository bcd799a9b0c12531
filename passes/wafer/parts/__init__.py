"""Programs in parts: what the wafer has no lowering for runs on the CPU, between parts on the wafer."""
