"""The whole service inside the caller's own process, without BentoML, Milvus and the network."""
