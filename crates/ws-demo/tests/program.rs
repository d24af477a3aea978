//! The program as it is started by hand.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ws-demo");

#[test]
fn help_names_every_option() {
    let output = Command::new(PROGRAM)
        .arg("--help")
        .output()
        .expect("it runs");
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("text");
    for option in [
        "--port",
        "--bind",
        "--allow-origin",
        "--max-connections",
        "--help",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn an_unknown_option_is_an_error() {
    let output = Command::new(PROGRAM)
        .arg("--prot")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(error.contains("'--prot'"), "{error}");
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = taken.local_addr().expect("it listens").port();
    let output = Command::new(PROGRAM)
        .args(["--port", &port.to_string()])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(
        error.contains(&format!("127.0.0.1:{port} is in use")),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn it_prints_one_line_and_ends_when_told() {
    for signal in ["-INT", "-TERM"] {
        let mut program = Command::new(PROGRAM)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut output = BufReader::new(program.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it says where");
        assert!(
            line.starts_with("open http://127.0.0.1:") && line.ends_with("/\n"),
            "{line}"
        );

        // The shell's own `kill`: a minimal system has no program of that name.
        let killed = Command::new("sh")
            .args(["-c", &format!("kill {signal} {}", program.id())])
            .status();
        assert!(killed.expect("there is a kill").success());
        assert!(program.wait().expect("it ends").success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).expect("the end of it");
        let mut errors = String::new();
        program
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut errors)
            .expect("the end of it");
        assert_eq!((rest.as_str(), errors.as_str()), ("", ""));
    }
}
