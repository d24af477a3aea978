//! A connection in two hands: the halves in threads of their own, over pipes in memory and over sockets.

mod deadlines;
mod faults;
mod halves;
mod hub;
mod large;
mod panics;
mod pipe;
mod streaming;
mod stress;
mod trying;
mod watched;
