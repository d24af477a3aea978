//! Listening at a path.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::listener::{Accept, Accepted, Listener, SocketOptions, Source, has_gone};

/// A Unix listener, and the file that is its name.
#[derive(Debug)]
pub(super) struct UnixSource {
    /// There when this server made it, so that nobody shares the socket. It stands first, to go first: as long as the
    /// listener is there, no other file can have the same number.
    file: Option<SocketFile>,
    listener: UnixListener,
}

/// The file of a socket, removed when this is dropped. Another's file in its place is left alone.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self(Source::Unix(UnixSource {
            file: None,
            listener,
        }))
    }
}

impl TryFrom<std::os::unix::net::UnixListener> for Listener {
    type Error = io::Error;

    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener).map(Self::from)
    }
}

impl SocketOptions {
    /// Listens at `path`, in the place of a socket that nobody listens at any more.
    pub(super) async fn bind_unix(&self, path: &Path) -> io::Result<Listener> {
        let listener = match self.bind_path(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path).await?;
                self.bind_path(path)?
            }
            bound => bound?,
        };
        let file = SocketFile::at(path)?;
        Ok(Listener(Source::Unix(UnixSource {
            file: Some(file),
            listener,
        })))
    }

    fn bind_path(&self, path: &Path) -> io::Result<UnixListener> {
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        socket.listen(self.backlog)
    }
}

/// Removes what a server left behind that ended without removing it: a socket that refuses connections. Anything else is
/// somebody's.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |why| Err(io::Error::new(io::ErrorKind::AddrInUse, why));
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return in_use("there is a file at this path that is no socket");
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        // It may be too busy to accept, too.
        Ok(_) | Err(_) => in_use("somebody listens at this path"),
    }
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(Self {
            path: std::path::absolute(path)?,
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == (self.device, self.inode));
        if is_ours {
            // What is left behind is removed by the next server.
            _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Accept for UnixSource {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<Accepted<UnixStream>> {
        self.listener
            .accept()
            .await
            .map(|(stream, _)| (stream, None))
    }

    fn close(self) -> impl FnMut() -> io::Result<Accepted<UnixStream>> + Send {
        let Self { file, listener } = self;
        let shared = file.is_none();
        drop(file);
        let listener = listener.into_std().ok().filter(|_| !shared);
        move || {
            let listener = listener.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
            let (stream, _) = listener.accept()?;
            stream.set_nonblocking(true).map_err(has_gone)?;
            Ok((UnixStream::from_std(stream)?, None))
        }
    }
}
