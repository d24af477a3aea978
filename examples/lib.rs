//! Nothing here: the programs are the `[[example]]` entries of this package. Its documentation tests
//! are the programs of the README.

#![forbid(unsafe_code)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
