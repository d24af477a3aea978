//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;

use clap::builder::RangedU64ValueParser;
use clap::{Arg, ArgAction, Command, value_parser};
use ws_demo::{Origin, Settings};

/// Reads the arguments, of which the first is the name of the program.
///
/// # Errors
///
/// What to print instead of serving: what is wrong with the arguments, or the help they ask for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Settings, clap::Error> {
    let mut settings = Settings::default();
    let mut matches = command(&settings).try_get_matches_from(arguments)?;
    if let Some(port) = matches.remove_one("port") {
        settings.address.set_port(port);
    }
    if let Some(ip) = matches.remove_one("bind") {
        settings.address.set_ip(ip);
    }
    if let Some(origins) = matches.remove_many("allow-origin") {
        settings.allowed_origins = origins.collect();
    }
    if let Some(number) = matches.remove_one("max-connections") {
        settings.max_connections = number;
    }
    Ok(settings)
}

/// What the defaults are is for [`Settings`] to say.
fn command(defaults: &Settings) -> Command {
    Command::new("ws-demo")
        .about(
            "Serves a page that takes a WebSocket connection apart, and the sockets it talks to.",
        )
        .after_help("It prints the address to open, and runs until Ctrl-C or SIGTERM.")
        // The last one counts, so that a script's choice can be overruled behind it.
        .args_override_self(true)
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .help("Listen on this port; 0 chooses a free one")
                .value_parser(value_parser!(u16))
                .allow_negative_numbers(true)
                .default_value(defaults.address.port().to_string()),
        )
        .arg(
            Arg::new("bind")
                .long("bind")
                .value_name("ADDRESS")
                .help("Listen on this IP address")
                .value_parser(value_parser!(IpAddr))
                .default_value(defaults.address.ip().to_string()),
        )
        .arg(
            Arg::new("allow-origin")
                .long("allow-origin")
                .value_name("ORIGIN")
                .help("Let pages of this origin, http://host:port, connect too; repeatable")
                .value_parser(Origin::parse)
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("max-connections")
                .long("max-connections")
                .value_name("N")
                .help("Serve so many connections at once, answer 503 to more")
                .value_parser(RangedU64ValueParser::<usize>::new().range(1..))
                .allow_negative_numbers(true)
                .default_value(defaults.max_connections.to_string()),
        )
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Settings, clap::Error> {
        parse(["ws-demo"].iter().chain(arguments).map(OsString::from))
    }

    fn settings(arguments: &[&str]) -> Settings {
        parsed(arguments).unwrap_or_else(|error| panic!("{arguments:?} gave {error}"))
    }

    #[test]
    fn the_declaration_is_consistent() {
        command(&Settings::default()).debug_assert();
    }

    #[test]
    fn without_options_it_listens_on_loopback() {
        let given = settings(&[]);
        assert_eq!(given.address.to_string(), "127.0.0.1:9001");
        assert_eq!(given.max_connections, 1_000);
        assert_eq!(given.allowed_origins, []);
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
    fn of_two_values_the_last_counts() {
        let given = settings(&["--port", "1", "--bind=::1", "--port=2", "--bind=::"]);
        assert_eq!(given.address.to_string(), "[::]:2");
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (arguments, kind, named) in [
            (&["--prot", "1"][..], ErrorKind::UnknownArgument, "'--prot'"),
            (&["9001"], ErrorKind::UnknownArgument, "'9001'"),
            (&["--port"], ErrorKind::InvalidValue, "'--port <PORT>'"),
            (&["--port="], ErrorKind::ValueValidation, "'--port <PORT>'"),
            (&["--port", "65536"], ErrorKind::ValueValidation, "'65536'"),
            (&["--port", "-1"], ErrorKind::ValueValidation, "'-1'"),
            (&["--port", "http"], ErrorKind::ValueValidation, "'http'"),
            (
                &["--bind", "localhost"],
                ErrorKind::ValueValidation,
                "'localhost'",
            ),
            (
                &["--allow-origin", "http://a.example/"],
                ErrorKind::ValueValidation,
                "'http://a.example/'",
            ),
            (
                &["--max-connections", "0"],
                ErrorKind::ValueValidation,
                "'0'",
            ),
        ] {
            let error = parsed(arguments).expect_err("refused");
            assert_eq!(error.kind(), kind, "{arguments:?}: {error}");
            assert!(error.to_string().contains(named), "{arguments:?}: {error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn help_is_asked_for_anywhere() {
        for help in ["--help", "-h"] {
            let error = parsed(&["--port", "1", help, "--nonsense"]).expect_err("help");
            assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{error}");
        }
    }
}
