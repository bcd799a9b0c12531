"""Programs in parts: what the wafer has no lowering for runs on the CPU, and programs for the wafer take turns."""
