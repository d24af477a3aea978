//! Nothing here: the benchmark is the `[[bench]]` entry of this package.
#![forbid(unsafe_code)]
