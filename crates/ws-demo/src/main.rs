//! Serves the browser page and its sockets until it is told to stop.

#![forbid(unsafe_code)]

mod arguments;

use std::future::Future;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use ws_demo::{Server, Settings};

fn main() -> ExitCode {
    let settings = match arguments::parse(std::env::args_os()) {
        Ok(settings) => settings,
        Err(instead) => {
            // Help goes to standard output and is a success, if it can be written.
            return match instead.print() {
                Ok(()) if instead.use_stderr() => ExitCode::from(2),
                printed => end(printed),
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    end(runtime.and_then(|runtime| runtime.block_on(serve(settings))))
}

async fn serve(settings: Settings) -> io::Result<()> {
    let address = settings.address;
    // Before the line is printed: whoever reads it may send the signal at once.
    let told_to_stop = told_to_stop()?;
    let bound = Server::bind(settings).await;
    let server = bound.map_err(|error| cannot_listen(address, &error))?;
    writeln!(
        io::stdout(),
        "open http://{}/",
        reachable(server.local_addr()?)
    )?;
    let cut = server.run(told_to_stop).await;
    if cut > 0 {
        eprintln!("ws-demo: {cut} connections did not close in time and were cut");
    }
    Ok(())
}

fn end(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ws-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> io::Error {
    let what = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "{address} is in use by another program; choose another with --port, or any with --port 0"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine", address.ip())
        }
        io::ErrorKind::PermissionDenied => format!("not allowed to listen on {address}"),
        _ => format!("cannot listen on {address}: {error}"),
    };
    io::Error::new(error.kind(), what)
}

/// An address that means all of this machine's is none that a browser could open.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(unix)]
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a way to be told, the server runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
