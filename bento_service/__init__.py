"""The image search service: two BentoML services over a catalogue and an index."""
