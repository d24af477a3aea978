//! The server: where requests lead, how many, what is counted, and how it ends.

mod draining;
mod places;
mod routing;
mod running;
mod sockets;
mod statistics;
