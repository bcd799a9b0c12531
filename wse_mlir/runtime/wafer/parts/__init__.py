"""Programs in parts: on the wafer, and between these on the CPU what the wafer has no lowering for."""
