//! Scenarios over streams that do what networks do, in memory and on the loopback interface.

mod chopped;
mod ending;
mod faults;
mod would_block;
