//! Nothing here: the benchmarks are the `[[bench]]` entries of this package.
