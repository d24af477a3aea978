//! Listening at a path.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::listener::{Accept, Accepted, Listener, SocketOptions, Source, has_gone, shut_down};

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

impl SocketOptions {
    /// Listens at `path`, in the place of a socket that nobody listens at any more.
    pub(super) fn bind_unix(&self, path: &Path) -> io::Result<Listener> {
        let listener = match self.bind_path(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
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
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        socket.listen(self.backlog())?;
        Ok(socket.into())
    }
}

/// Removes what a server left behind that ended without removing it: a socket that refuses connections. Anything else is
/// somebody's.
fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |why| Err(io::Error::new(io::ErrorKind::AddrInUse, why));
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return in_use("there is a file at this path that is no socket");
    }
    match connect_at_once(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Ok(()) | Err(_) => in_use("somebody listens at this path"),
    }
}

/// Connects, and does not wait for a server that is too busy to accept.
fn connect_at_once(address: &SockAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(address)
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

    fn accept(&self) -> io::Result<Accepted<UnixStream>> {
        let (stream, _) = self.listener.accept()?;
        // Some systems hand a listener's way of not waiting on to its connections.
        stream.set_nonblocking(false).map_err(has_gone)?;
        Ok((stream, None))
    }

    fn is_shared(&self) -> bool {
        self.file.is_none()
    }

    fn accept_waiting(&self) -> io::Result<Accepted<UnixStream>> {
        self.listener.set_nonblocking(true)?;
        self.accept()
    }

    fn wake(&self) {
        if !self.is_shared() && shut_down(&self.listener) {
            return;
        }
        // It need not have a path. When its backlog is full this fails, and then nobody waits.
        _ = SockRef::from(&self.listener)
            .local_addr()
            .and_then(|address| connect_at_once(&address));
    }
}
