//! Replies to what came in one read leave in one write, and none of them is left behind: whatever a thread does after it
//! has sent, what it has sent arrives.

mod halves;
mod panics;
mod served;
mod slow;
mod whole;
