"""The HTTP surface: translates between the wire and the rooms behind it, computes nothing."""
