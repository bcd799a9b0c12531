"""Operations on buffers that run row by row together: softmax, normalisation, attention."""
