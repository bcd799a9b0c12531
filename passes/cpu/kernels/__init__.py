"""Operations that belong together become functions of their own: what `wse-form-kernels` and `wse-plan-arena` need."""
