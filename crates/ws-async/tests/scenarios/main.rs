//! Scenarios over streams that do what networks do, in memory and on the loopback interface.

mod cancellation;
mod deadlines;
mod drive;
mod ending;
mod faults;
