"""Decoder processes: what strangers send is decoded where it can do no harm."""
