//! A program that serves until it is ended, and says on standard output where.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::command;
use crate::step::Failure;

/// From the start of a program to the line that says where it listens.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How often a port is tried that does not accept connections yet.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// A running server. It is ended when this goes out of scope.
pub(crate) struct Peer {
    child: Child,
    /// Copies what the program prints into the log.
    reader: Option<JoinHandle<()>>,
    /// What followed the sign on its line.
    address: String,
}

impl Peer {
    /// Starts a server and waits for a line that holds `sign`; the address is what follows it.
    /// Everything the server prints goes to `log`.
    pub(crate) fn start(command: &mut Command, sign: &str, log: &Path) -> Result<Self, Failure> {
        let errors = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut output = errors.try_clone()?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("`{}`: {error}", command::shown(command)))?;
        let stdout = child.stdout.take();
        // From here on an error drops `peer`, and that ends the program.
        let mut peer = Self {
            child,
            reader: None,
            address: String::new(),
        };
        let (found, address) = mpsc::channel();
        let sign = sign.to_owned();
        // The thread reads until the program ends, so that the program never waits for a reader.
        peer.reader = Some(thread::spawn(move || {
            for line in stdout
                .into_iter()
                .flat_map(|stdout| BufReader::new(stdout).lines())
            {
                let Ok(line) = line else { break };
                if let Some((_, address)) = line.split_once(&sign) {
                    let address = address.trim().to_owned();
                    // Only the first one is waited for.
                    _ = found.send(address);
                }
                if writeln!(output, "{line}").is_err() {
                    break;
                }
            }
        }));
        peer.address = address.recv_timeout(START_LIMIT).map_err(|error| {
            let why = match error {
                RecvTimeoutError::Timeout => "did not say where it listens",
                RecvTimeoutError::Disconnected => "ended at once",
            };
            let said = std::fs::read_to_string(log).unwrap_or_default();
            format!(
                "`{}` {why}:\n{}",
                command::shown(command),
                command::last_lines(&said, 15)
            )
        })?;
        Ok(peer)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until `address` accepts connections, for a server whose line comes before it listens. What it sees of this
    /// is a connection that says nothing and is closed.
    pub(crate) fn wait_until_it_listens(&mut self, address: SocketAddr) -> Result<(), Failure> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            self.expect_alive()?;
            let Some(left) = deadline
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
            else {
                return Err(Failure::new(format!(
                    "the server does not accept connections at {address}, {} s after it said that it would",
                    START_LIMIT.as_secs()
                )));
            };
            if TcpStream::connect_timeout(&address, left).is_ok() {
                return Ok(());
            }
            thread::sleep(RETRY_INTERVAL);
        }
    }

    /// Waits for a server that ends by itself when its work is done, and gives back everything it
    /// printed, which is in `log`.
    pub(crate) fn finish(mut self, limit: Duration, log: &Path) -> Result<String, Failure> {
        let status = command::wait(&mut self.child, limit)?;
        if let Some(reader) = self.reader.take()
            && reader.join().is_err()
        {
            return Err(Failure::new("the thread that reads the log panicked"));
        }
        let said = std::fs::read_to_string(log)?;
        match status {
            Some(status) if status.success() => Ok(said),
            status => Err(Failure::new(format!(
                "the server ended with {status:?}:\n{}",
                command::last_lines(&said, 15)
            ))),
        }
    }

    /// Whether it still runs. A server that a peer could end has failed.
    pub(crate) fn expect_alive(&mut self) -> Result<(), Failure> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!(
                "the server ended by itself: {status}"
            ))),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only for a program that has ended already, which is what is wanted.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::workspace::Workspace;

    fn start(script: &str, log: &str) -> Result<Peer, Failure> {
        let logs = Workspace::locate()
            .target_dir("xtask-tests")
            .expect("a folder under target");
        Peer::start(
            Command::new("sh").args(["-c", script]),
            "listening on ",
            &logs.join(log),
        )
    }

    #[test]
    fn a_server_says_where_it_listens_and_is_ended() {
        let mut peer = start(
            "echo starting; echo listening on ws://here; exec sleep 600",
            "listens.log",
        )
        .expect("it says where");
        assert_eq!(peer.address(), "ws://here");
        assert!(peer.expect_alive().is_ok());
    }

    #[test]
    fn a_port_is_waited_for_as_long_as_its_server_runs() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut peer =
            start("echo listening on it; exec sleep 600", "waited.log").expect("it says where");
        peer.wait_until_it_listens(address)
            .expect("a connection is accepted");
        drop(listener);
        peer.child.kill().expect("it can be ended");
        peer.child.wait().expect("it has ended");
        let failure = peer
            .wait_until_it_listens(address)
            .expect_err("nobody listens and nobody will");
        assert!(failure.findings().join("\n").contains("ended by itself"));
    }

    #[test]
    fn a_server_that_is_done_gives_back_all_it_said() {
        let logs = Workspace::locate()
            .target_dir("xtask-tests")
            .expect("a folder under target");
        let peer =
            start("echo listening on here; echo 3 checks", "done.log").expect("it says where");
        let said = peer.finish(Duration::from_secs(20), &logs.join("done.log"));
        assert_eq!(
            said.expect("it ended well"),
            "listening on here\n3 checks\n"
        );
    }

    #[test]
    fn a_server_that_ends_at_once_is_a_failure_with_its_words() {
        let failure = start("echo port taken >&2; exit 1", "ends.log")
            .err()
            .expect("it ended");
        assert!(failure.findings().join("\n").contains("port taken"));
    }
}
