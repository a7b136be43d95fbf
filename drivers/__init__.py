"""How the field is reached: the driver contract, the registry, one package a protocol."""
