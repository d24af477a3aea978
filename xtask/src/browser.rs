use crate::step::{Done, Verdict};
use crate::workspace::Workspace;

pub(crate) fn run(_: &Workspace) -> Verdict {
    Done::checked(0, "x")
}
