"""A stand-in for the WeCom platform: real HTTP, real encryption, real limits."""
