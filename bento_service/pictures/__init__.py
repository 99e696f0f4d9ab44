"""Decoding of encoded pictures to upright RGB pixels."""
