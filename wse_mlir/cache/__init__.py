"""The compile cache: compiled code in a folder of the user's, found again by what it was compiled from."""
