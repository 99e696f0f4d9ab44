"""From untrusted bytes to descriptors: decode, feature maps, pooling."""
