"""The wavelet engine: event driven, wavelet by wavelet; the reference for times."""
