//! Test support: connection pairs without IO, chopped streams, vectors and oracles.
