//! The command line. Four options do not need a parser of somebody else's.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ws_demo::{Origin, Settings};

pub(crate) const HELP: &str = "\
Serves a page that takes a WebSocket connection apart, and the sockets it talks to.

Usage: ws-demo [OPTION]...

  --port PORT            listen on this port; 0 chooses a free one (default 9001)
  --bind ADDRESS         listen on this IP address (default 127.0.0.1)
  --allow-origin ORIGIN  let pages of this origin connect too, as in http://localhost:3000;
                         may be given several times
  --max-connections N    serve so many connections at once, answer 503 to more (default 1000)
  --help                 show this and exit

It prints the address to open, and runs until Ctrl-C or SIGTERM.
";

#[derive(Debug)]
pub(crate) enum Command {
    Serve(Settings),
    Help,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UsageError {
    Unknown(String),
    NoValue(&'static str),
    BadValue(&'static str, String),
}

/// Both `--port 9001` and `--port=9001`.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut settings = Settings::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let argument = argument.to_string_lossy().into_owned();
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = |option| {
            let next = || {
                arguments
                    .next()
                    .map(|value| value.to_string_lossy().into_owned())
            };
            value
                .clone()
                .or_else(next)
                .ok_or(UsageError::NoValue(option))
        };
        match name {
            "--help" | "-h" => return Ok(Command::Help),
            "--port" => settings
                .address
                .set_port(parsed("--port", value("--port")?)?),
            "--bind" => settings
                .address
                .set_ip(parsed::<IpAddr>("--bind", value("--bind")?)?),
            "--max-connections" => {
                settings.max_connections =
                    parsed("--max-connections", value("--max-connections")?)?;
            }
            "--allow-origin" => {
                let text = value("--allow-origin")?;
                let origin = Origin::parse(&text);
                settings
                    .allowed_origins
                    .push(origin.map_err(|_| UsageError::BadValue("--allow-origin", text))?);
            }
            _ => return Err(UsageError::Unknown(argument)),
        }
    }
    Ok(Command::Serve(settings))
}

fn parsed<T: FromStr>(option: &'static str, value: String) -> Result<T, UsageError> {
    value
        .parse()
        .map_err(|_| UsageError::BadValue(option, value))
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(argument) => write!(f, "there is no option `{argument}`"),
            Self::NoValue(option) => write!(f, "{option} needs a value"),
            Self::BadValue(option, value) => write!(f, "{option} cannot be `{value}`"),
        }
    }
}

impl std::error::Error for UsageError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(arguments: &[&str]) -> Settings {
        match parse(arguments.iter().map(OsString::from)) {
            Ok(Command::Serve(settings)) => settings,
            other => panic!("{arguments:?} gave {other:?}"),
        }
    }

    fn error(arguments: &[&str]) -> UsageError {
        parse(arguments.iter().map(OsString::from)).expect_err("refused")
    }

    #[test]
    fn without_options_it_listens_on_loopback() {
        assert_eq!(settings(&[]).address.to_string(), "127.0.0.1:9001");
    }

    #[test]
    fn options_are_taken_in_both_spellings() {
        let given = settings(&[
            "--port=0",
            "--bind",
            "::1",
            "--allow-origin",
            "http://a.example",
            "--allow-origin=https://b.example:8443",
            "--max-connections",
            "7",
        ]);
        assert_eq!(given.address.to_string(), "[::1]:0");
        assert_eq!(given.max_connections, 7);
        let origins: Vec<_> = given
            .allowed_origins
            .iter()
            .map(Origin::to_string)
            .collect();
        assert_eq!(origins, ["http://a.example", "https://b.example:8443"]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(
            error(&["--prot", "1"]),
            UsageError::Unknown("--prot".into())
        );
        assert_eq!(error(&["9001"]), UsageError::Unknown("9001".into()));
        assert_eq!(error(&["--port"]), UsageError::NoValue("--port"));
        assert_eq!(
            error(&["--port", "65536"]),
            UsageError::BadValue("--port", "65536".into())
        );
        assert_eq!(
            error(&["--bind", "localhost"]),
            UsageError::BadValue("--bind", "localhost".into())
        );
        assert_eq!(
            error(&["--allow-origin", "http://a.example/"]),
            UsageError::BadValue("--allow-origin", "http://a.example/".into())
        );
    }

    #[test]
    fn help_is_asked_for_anywhere() {
        let arguments = ["--port", "1", "--help", "--nonsense"].map(OsString::from);
        assert!(matches!(parse(arguments), Ok(Command::Help)));
    }
}
