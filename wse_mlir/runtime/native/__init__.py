"""From the llvm dialect to machine code: LLVM IR text, objects, assembly, and what a system's linker makes of them."""
