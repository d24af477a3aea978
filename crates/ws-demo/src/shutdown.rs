//! The one signal that tells every task to end.

use tokio::sync::watch;

/// Whoever holds this may begin the shutdown.
#[derive(Debug)]
pub(crate) struct Shutdown {
    begun: watch::Sender<bool>,
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self {
            begun: watch::Sender::new(false),
        }
    }

    pub(crate) fn begin(&self) {
        self.begun.send_replace(true);
    }

    pub(crate) fn watch(&self) -> ShutdownWatch {
        ShutdownWatch {
            begun: self.begun.subscribe(),
        }
    }
}

/// What a task waits on beside its work.
#[derive(Clone, Debug)]
pub(crate) struct ShutdownWatch {
    begun: watch::Receiver<bool>,
}

impl ShutdownWatch {
    /// Ready once the shutdown has begun, however often it is asked. A server that is gone without a
    /// word counts as one.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub(crate) async fn begun(&mut self) {
        // The error says that nobody is left who could begin the shutdown.
        if self.begun.wait_for(|begun| *begun).await.is_err() {}
    }
}
