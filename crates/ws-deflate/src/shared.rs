//! What several connections use at a time.

#[cfg(feature = "std")]
pub(crate) use locked::Shared;
#[cfg(not(feature = "std"))]
pub(crate) use nothing::Shared;

#[cfg(feature = "std")]
mod locked {
    use std::sync::{Mutex, PoisonError};

    /// A value behind a lock.
    pub(crate) struct Shared<T>(Mutex<T>);

    impl<T> Shared<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        /// Works on the value; `None` if there is none.
        pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
            // A panic while it was held left a list of codecs, each of them whole.
            let mut value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Some(work(&mut value))
        }
    }
}

/// Without `std` there is no lock, and so nothing is shared: who asks makes its own.
#[cfg(not(feature = "std"))]
mod nothing {
    use core::marker::PhantomData;

    pub(crate) struct Shared<T>(PhantomData<fn() -> T>);

    impl<T> Shared<T> {
        pub(crate) fn new(value: T) -> Self {
            drop(value);
            Self(PhantomData)
        }

        pub(crate) fn with<R>(&self, _: impl FnOnce(&mut T) -> R) -> Option<R> {
            None
        }
    }
}
