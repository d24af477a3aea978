//! `cargo xtask conformance`: the Autobahn testsuite against both bindings in both roles, judged
//! case by case, with the default limits of the crates.

mod judge;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::autobahn;
use crate::command;
use crate::examples;
use crate::peer::Peer;
use crate::step::{Done, Failure, Tally, Verdict};
use crate::workspace::Workspace;
use judge::{Known, Results};

/// Everything but compression: 301 cases. They run with compression on, which these cases do not offer.
const CASES: &[&str] = &[
    "1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*",
];
const CASE_COUNT: usize = 301;

/// The groups of cases about compression, of 18 cases each: a thousand messages of one size, from 16 bytes to 128 KiB,
/// in one frame or in many, with the parameters of the group.
const DEFLATE_GROUPS: &[&str] = &[
    "12.1", "12.2", "12.3", "12.4", "12.5", "13.1", "13.2", "13.3", "13.4", "13.5", "13.6", "13.7",
];
const DEFLATE_GROUP_COUNT: usize = 18;

/// Of each group: messages of 16 bytes, 1 KiB, 16 KiB, and 128 KiB in fragments. All of them take many minutes a face.
const DEFLATE_SAMPLE: &[u8] = &[1, 4, 7, 11];

/// Each case that is not strictly OK, and why.
const KNOWN: &str = "conformance/KNOWN.md";
/// Holds the row that each face must reach, for everybody to read.
const PUBLISHED: &str = "conformance/README.md";

/// A run takes two minutes here, and with all cases a quarter of an hour; on a busy machine it took three times that.
const RUN_LIMIT: Duration = Duration::from_secs(2 * 3600);

/// What of ours meets the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Face {
    name: &'static str,
    /// A program of `examples/`.
    example: &'static str,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

const FACES: &[Face] = &[
    Face {
        name: "sync-server",
        example: "echo_server_sync",
        role: Role::Server,
    },
    Face {
        name: "sync-client",
        example: "autobahn_client_sync",
        role: Role::Client,
    },
    Face {
        name: "async-server",
        example: "echo_server_async",
        role: Role::Server,
    },
    Face {
        name: "async-client",
        example: "autobahn_client_async",
        role: Role::Client,
    },
    Face {
        name: "async-split-server",
        example: "echo_server_split_async",
        role: Role::Server,
    },
];

/// What a run is asked to do.
struct Options {
    faces: Vec<Face>,
    /// Empty for [`CASES`] and those about compression.
    cases: Vec<String>,
    /// All cases about compression, and not only a sample.
    all: bool,
}

pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let everything = Options {
        faces: FACES.to_vec(),
        cases: Vec::new(),
        all: false,
    };
    run_with(workspace, &everything)
}

/// The command with options of its own.
pub(crate) fn main(workspace: &Workspace, arguments: &[String]) -> ExitCode {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("xtask conformance: {problem}");
            return ExitCode::from(2);
        }
    };
    let mut tally = Tally::default();
    tally.run_named("conformance", "the faces and cases asked for", || {
        run_with(workspace, &options)
    });
    tally.finish()
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            faces: Vec::new(),
            cases: Vec::new(),
            all: arguments.iter().any(|argument| argument == "--all"),
        };
        let arguments: Vec<&String> = arguments
            .iter()
            .filter(|argument| *argument != "--all")
            .collect();
        for pair in arguments.chunks(2) {
            match pair {
                [name, value] if *name == "--face" => {
                    let face = FACES
                        .iter()
                        .find(|face| face.name == *value)
                        .ok_or_else(|| format!("there is no face {value}"))?;
                    options.faces.push(*face);
                }
                [name, value] if *name == "--cases" => {
                    options.cases.extend(value.split(',').map(str::to_owned));
                }
                _ => return Err(format!("{pair:?} is no option with a value")),
            }
        }
        if options.faces.is_empty() {
            options.faces = FACES.to_vec();
        }
        Ok(options)
    }

    fn is_whole(&self) -> bool {
        self.cases.is_empty()
    }

    /// The cases to run, and how many they are if that is known.
    fn to_run(&self) -> (Vec<String>, Option<usize>) {
        if !self.is_whole() {
            return (self.cases.clone(), None);
        }
        let mut cases: Vec<String> = CASES.iter().map(|case| (*case).to_owned()).collect();
        for group in DEFLATE_GROUPS {
            if self.all {
                cases.push(format!("{group}.*"));
            } else {
                cases.extend(DEFLATE_SAMPLE.iter().map(|case| format!("{group}.{case}")));
            }
        }
        let of_each = if self.all {
            DEFLATE_GROUP_COUNT
        } else {
            DEFLATE_SAMPLE.len()
        };
        (cases, Some(CASE_COUNT + DEFLATE_GROUPS.len() * of_each))
    }
}

fn run_with(workspace: &Workspace, options: &Options) -> Verdict {
    let known = Known::parse(&workspace.read(KNOWN)?)?;
    let published = workspace.read(PUBLISHED)?;
    let mut findings = Vec::new();
    let mut count = 0;
    for face in &options.faces {
        let report = match run_face(workspace, *face, options) {
            Ok(report) => report,
            Err(failure) => {
                findings.push(format!("{}: {}", face.name, failure.findings().join("\n")));
                continue;
            }
        };
        println!("   {}: {}", face.name, report.results);
        count += report.results.cases();
        let expected = options.to_run().1.unwrap_or(report.announced);
        findings.extend(
            report
                .results
                .judge(&known, expected)
                .into_iter()
                .map(|finding| format!("{}: {finding}", face.name)),
        );
        // All cases of compression take so long that their rows are not measured again with each change. They are judged
        // like the others: which ones there are, and what each came to.
        let row = report.results.row(face.name);
        if options.is_whole() && !options.all && !published.contains(&row) {
            findings.push(format!("{PUBLISHED} does not hold this row: {row}"));
        }
    }
    Failure::unless_empty(findings)?;
    Done::checked(count, format!("cases over {} faces", options.faces.len()))
}

/// What one run left behind.
struct Report {
    results: Results,
    /// How many cases the suite said it would run: it writes a report without a complaint when
    /// the other side died half-way.
    announced: usize,
}

fn run_face(workspace: &Workspace, face: Face, options: &Options) -> Result<Report, Failure> {
    let program = examples::build_release(workspace, face.example)?;
    let folder = workspace.target_dir(&format!("conformance/{}", face.name))?;
    // A report of an earlier run must not be taken for one of this run.
    std::fs::remove_dir_all(&folder)?;
    std::fs::create_dir_all(&folder)?;
    let run = Run {
        workspace,
        agent: face.name.replace('-', ""),
        folder,
        cases: options.to_run().0,
    };
    match face.role {
        Role::Server => run.against_server(&program)?,
        Role::Client => run.against_client(&program)?,
    }
    run.report()
}

struct Run<'a> {
    workspace: &'a Workspace,
    /// Becomes part of file names, so letters only.
    agent: String,
    folder: PathBuf,
    cases: Vec<String>,
}

impl Run<'_> {
    /// The suite as the client of one of our servers.
    fn against_server(&self, program: &Path) -> Result<(), Failure> {
        let mut server = Peer::start(
            Command::new(program).args(["--port", "0", "--deflate"]),
            "listening on ",
            &self.folder.join("server.log"),
        )?;
        let target = format!(
            "\"servers\": [{{\"agent\": \"{}\", \"url\": \"{}\"}}]",
            self.agent,
            server.address()
        );
        let spec = self.write_spec(&target)?;
        command::run_logged(
            autobahn::wstest(self.workspace)?
                .args(["-m", "fuzzingclient", "-s"])
                .arg(spec),
            &self.log(),
            RUN_LIMIT,
        )?;
        server.expect_alive()
    }

    /// The suite as the server of one of our clients, which asks for the report itself.
    fn against_client(&self, program: &Path) -> Result<(), Failure> {
        // The suite cannot choose a port by itself. It is taken between here and there only by an
        // accident, and then the suite ends at once and says so.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let url = format!("ws://{address}");
        let spec = self.write_spec(&format!("\"url\": \"{url}\""))?;
        let mut server = Peer::start(
            autobahn::wstest(self.workspace)?
                .args(["-m", "fuzzingserver", "--webport", "0", "-s"])
                .arg(spec),
            ANNOUNCEMENT,
            &self.log(),
        )?;
        // The suite announces its cases before it listens. It counts no connection that asks for nothing.
        server.wait_until_it_listens(address)?;
        command::run_logged(
            Command::new(program).args([&*url, &self.agent]),
            &self.folder.join("client.log"),
            RUN_LIMIT,
        )?;
        server.expect_alive()
    }

    fn write_spec(&self, target: &str) -> Result<PathBuf, Failure> {
        let cases: Vec<String> = self.cases.iter().map(|case| format!("{case:?}")).collect();
        let spec = self.folder.join("spec.json");
        std::fs::write(
            &spec,
            format!(
                "{{{target}, \"outdir\": {:?}, \"cases\": [{}], \"exclude-cases\": [], \
                 \"exclude-agent-cases\": {{}}}}",
                self.folder,
                cases.join(", ")
            ),
        )?;
        Ok(spec)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("wstest.log")
    }

    fn report(&self) -> Result<Report, Failure> {
        let log = std::fs::read_to_string(self.log())?;
        let announced = announced_cases(&log)
            .ok_or_else(|| format!("{} does not say how many cases", self.log().display()))?;
        let index = self.folder.join("index.json");
        let text = std::fs::read_to_string(&index)
            .map_err(|error| format!("{}: {error}: the suite wrote no report", index.display()))?;
        Ok(Report {
            results: Results::parse(&text, &self.agent)?,
            announced,
        })
    }
}

/// How the suite begins the line that says how many cases it will run.
const ANNOUNCEMENT: &str = "Ok, will run ";

fn announced_cases(log: &str) -> Option<usize> {
    let (_, after) = log.split_once(ANNOUNCEMENT)?;
    after.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments: Vec<String> = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        Options::parse(&arguments)
    }

    #[test]
    fn options_choose_faces_and_cases() {
        let options =
            parse(&["--face", "sync-client", "--cases", "6.4.3,7.*"]).expect("these exist");
        assert_eq!(options.faces, [FACES[1]]);
        assert_eq!(options.cases, ["6.4.3", "7.*"]);
        assert!(!options.is_whole());
        let options = parse(&["--cases", "1.1.1"]).expect("this exists");
        assert_eq!(options.faces, FACES);
    }

    #[test]
    fn options_that_are_none_are_refused() {
        assert!(parse(&["--face", "both"]).is_err());
        assert!(parse(&["--cases"]).is_err());
        assert!(parse(&["--quick", "yes"]).is_err());
    }

    #[test]
    fn the_number_of_cases_is_read_from_the_log() {
        assert_eq!(
            announced_cases("Loading\nOk, will run 301 test cases against 1 servers\n"),
            Some(301)
        );
        assert_eq!(announced_cases("Loading"), None);
    }
}
