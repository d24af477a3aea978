//! Nothing here: the programs are the `[[example]]` entries of this package.
