//! The Autobahn testsuite under `target/autobahn`: installing it, and starting its `wstest`.
//!
//! The suite runs under Python 2.7 only, which Debian 12 no longer has. An interpreter is looked
//! for in this order: `$PYTHON27`, `python2.7` on the path, one of pyenv's, and then the packages
//! of Debian 11, fetched and signature-checked by apt and unpacked, not installed, under
//! `target/autobahn`. `AUTOBAHN_NO_PYENV=1` leaves out the second and the third.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::step::Failure;
use crate::workspace::Workspace;

/// Where its own files are.
const FOLDER: &str = "conformance/autobahn";
const VERSION: &str = "25.10.1";
/// For one call of pip or apt.
const FETCH_LIMIT: Duration = Duration::from_secs(300);

/// What a complete interpreter can do.
const PROBE: &str = "import sys, ssl, zlib, ctypes, hashlib, struct\nsys.exit(0 if sys.version_info[:2] == (2, 7) else 1)";

/// Python 2.7 and what it links to, by the names of Debian 11.
const DEBIAN_PACKAGES: &[&str] = &[
    "python2.7-minimal",
    "libpython2.7-minimal",
    "libpython2.7-stdlib",
    "libpython2.7-dev",
    "python2.7",
    "libpython2.7",
    "libssl1.1",
    "libffi7",
];
const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A command that runs `wstest`; its arguments are still to be added.
pub(crate) fn wstest(workspace: &Workspace) -> Result<Command, Failure> {
    let place = Place::of(workspace)?;
    let mut wstest = Command::new(place.venv_python());
    wstest
        .args(["-u", "-W", "ignore"])
        .arg(workspace.path(FOLDER).join("launch.py"));
    place.add_python_paths(&mut wstest);
    Ok(wstest)
}

/// The version that is installed and starts; `None` when there is none, or an older one.
pub(crate) fn installed(workspace: &Workspace) -> Option<String> {
    let place = Place::of(workspace).ok()?;
    let stamp = fs::read_to_string(place.stamp()).ok()?;
    if stamp != requirements(workspace).ok()? {
        return None;
    }
    let mut wstest = wstest(workspace).ok()?;
    let help = command::stdout_of(wstest.arg("-a")).ok()?;
    (!help.is_empty()).then(|| VERSION.to_owned())
}

pub(crate) fn install(workspace: &Workspace) -> Result<(), Failure> {
    let place = Place::of(workspace)?;
    place.clear()?;
    let python = find_python(&place)?;
    println!("   Python 2.7: {}", python.display());

    let files = workspace.path(FOLDER);
    place.make_boot_environment(&files.join("requirements-boot.txt"))?;
    place.run(
        Command::new(place.0.join("boot/bin/virtualenv"))
            .args([
                "--quiet",
                "--no-periodic-update",
                "--no-download",
                "--python",
            ])
            .arg(&python)
            .arg(place.0.join("venv")),
        "virtualenv",
    )?;
    place.install_wheels(&files.join("requirements.txt"), &[])?;
    place.install_wheels(
        &files.join("requirements-accel.txt"),
        &["--no-build-isolation"],
    )?;

    command::stdout_of(wstest(workspace)?.arg("-a"))?;
    fs::write(place.stamp(), requirements(workspace)?)?;
    Ok(())
}

/// What is to be installed, whole: an environment made from anything else is made anew.
fn requirements(workspace: &Workspace) -> Result<String, Failure> {
    let mut text = String::new();
    for name in [
        "requirements-boot.txt",
        "requirements.txt",
        "requirements-accel.txt",
    ] {
        text.push_str(&workspace.read(&format!("{FOLDER}/{name}"))?);
    }
    Ok(text)
}

fn find_python(place: &Place) -> Result<PathBuf, Failure> {
    let mut candidates: Vec<PathBuf> = std::env::var_os("PYTHON27")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    if std::env::var_os("AUTOBAHN_NO_PYENV").is_none() {
        candidates.push("python2.7".into());
        candidates.extend(pyenv_pythons());
    }
    if let Some(python) = candidates
        .into_iter()
        .find(|python| is_usable(python, place))
    {
        // A shim of pyenv's runs here and not inside a virtual environment.
        return real_path(&python, place);
    }
    let python = place.unpack_debian_python()?;
    if is_usable(&python, place) {
        Ok(python)
    } else {
        Err(Failure::new(format!("{} does not run", python.display())))
    }
}

fn pyenv_pythons() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".pyenv"))
        });
    let versions = root.and_then(|root| fs::read_dir(root.join("versions")).ok());
    let folders = versions.into_iter().flatten().flatten();
    folders
        .filter(|folder| folder.file_name().to_string_lossy().starts_with("2.7."))
        .map(|folder| folder.path().join("bin/python2.7"))
        .collect()
}

fn is_usable(python: &Path, place: &Place) -> bool {
    let mut probe = Command::new(python);
    probe.args(["-c", PROBE]);
    place.add_python_paths(&mut probe);
    probe.output().is_ok_and(|output| output.status.success())
}

fn real_path(python: &Path, place: &Place) -> Result<PathBuf, Failure> {
    let mut ask = Command::new(python);
    ask.args(["-c", "import sys; sys.stdout.write(sys.executable)"]);
    place.add_python_paths(&mut ask);
    Ok(PathBuf::from(command::stdout_of(&mut ask)?))
}

/// `target/autobahn`.
struct Place(PathBuf);

impl Place {
    fn of(workspace: &Workspace) -> Result<Self, Failure> {
        workspace.target_dir("autobahn").map(Self)
    }

    /// Removes everything but what was downloaded.
    fn clear(&self) -> Result<(), Failure> {
        for name in ["boot", "venv", "python", "apt"] {
            let folder = self.0.join(name);
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
        }
        for name in ["boot", "debs", "wheels"] {
            fs::create_dir_all(self.cache(name))?;
        }
        if self.stamp().exists() {
            fs::remove_file(self.stamp())?;
        }
        Ok(())
    }

    fn stamp(&self) -> PathBuf {
        self.0.join("installed")
    }

    fn cache(&self, name: &str) -> PathBuf {
        self.0.join("cache").join(name)
    }

    fn venv_python(&self) -> PathBuf {
        self.0.join("venv/bin/python")
    }

    /// Where the libraries and headers of an unpacked Python are; it looks for them where they
    /// would be if it were installed.
    fn add_python_paths(&self, command: &mut Command) {
        let usr = self.0.join("python/usr");
        let libraries = fs::read_dir(usr.join("lib")).ok().and_then(|folders| {
            folders
                .flatten()
                .map(|folder| folder.path())
                .find(|folder| folder.join("libssl.so.1.1").exists())
        });
        if let Some(libraries) = libraries {
            let headers = usr.join("include");
            let mut include = headers.join("python2.7").into_os_string();
            include.push(":");
            include.push(headers);
            command.env("LD_LIBRARY_PATH", libraries);
            command.env("C_INCLUDE_PATH", include);
        }
    }

    fn make_boot_environment(&self, requirements: &Path) -> Result<(), Failure> {
        self.run(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(self.0.join("boot")),
            "venv",
        )?;
        let pip = self.0.join("boot/bin/pip");
        let cache = self.cache("boot");
        let from_cache = || {
            let mut install = Command::new(&pip);
            install
                .args(["--quiet", "install", "--no-index", "--find-links"])
                .arg(&cache);
            install.arg("--requirement").arg(requirements);
            install
        };
        if self.run(&mut from_cache(), "boot").is_err() {
            let mut download = Command::new(&pip);
            download.args(["--quiet", "download", "--dest"]).arg(&cache);
            self.run(
                download.arg("--requirement").arg(requirements),
                "boot-download",
            )?;
            self.run(&mut from_cache(), "boot")?;
        }
        Ok(())
    }

    /// Everything goes through a cache of wheels, so that the second time needs no network.
    fn install_wheels(&self, requirements: &Path, options: &[&str]) -> Result<(), Failure> {
        let wheels = self.cache("wheels");
        let pip = |verb: &str| {
            let mut pip = Command::new(self.venv_python());
            pip.args(["-m", "pip", "--quiet", verb, "--no-deps"]);
            pip.arg("--requirement").arg(requirements);
            self.add_python_paths(&mut pip);
            pip
        };
        let from_cache = || {
            let mut install = pip("install");
            install.args(["--no-index", "--find-links"]).arg(&wheels);
            install
        };
        if self.run(&mut from_cache(), "wheels").is_err() {
            self.run(
                pip("wheel").arg("--wheel-dir").arg(&wheels).args(options),
                "wheels-make",
            )?;
            self.run(&mut from_cache(), "wheels")?;
        }
        Ok(())
    }

    fn unpack_debian_python(&self) -> Result<PathBuf, Failure> {
        let arch = command::stdout_of(Command::new("dpkg").arg("--print-architecture"))?;
        let debs = self.cache("debs");
        if fs::read_dir(&debs)?.next().is_none() {
            self.download_debs(arch.trim(), &debs)?;
        }
        let root = self.0.join("python");
        fs::create_dir_all(&root)?;
        for deb in fs::read_dir(&debs)? {
            command::stdout_of(
                Command::new("dpkg-deb")
                    .arg("-x")
                    .arg(deb?.path())
                    .arg(&root),
            )?;
        }
        Ok(root.join("usr/bin/python2.7"))
    }

    /// From the first of the machine's own mirrors that still has Debian 11.
    fn download_debs(&self, arch: &str, debs: &Path) -> Result<(), Failure> {
        let mut failures = Vec::new();
        for mirror in debian_mirrors()? {
            let downloaded = self.write_apt_config(arch, &mirror).and_then(|config| {
                let apt_get = || {
                    let mut apt_get = Command::new("apt-get");
                    apt_get
                        .env("APT_CONFIG", &config)
                        .current_dir(debs)
                        .arg("-qq");
                    apt_get
                };
                self.run(apt_get().arg("update"), "apt-update")?;
                self.run(
                    apt_get().arg("download").args(DEBIAN_PACKAGES),
                    "apt-download",
                )
            });
            match downloaded {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    failures.push(format!("{mirror}: {}", failure.findings().join("\n")))
                }
            }
            for deb in fs::read_dir(debs)? {
                fs::remove_file(deb?.path())?;
            }
        }
        Err(Failure::new(format!(
            "no mirror has Python 2.7: set PYTHON27 to an interpreter\n{}",
            failures.join("\n")
        )))
    }

    /// A configuration that leaves the machine's own package lists alone.
    fn write_apt_config(&self, arch: &str, mirror: &str) -> Result<PathBuf, Failure> {
        let apt = self.0.join("apt");
        for folder in [
            "etc/apt.conf.d",
            "etc/preferences.d",
            "lists/partial",
            "cache/archives/partial",
        ] {
            fs::create_dir_all(apt.join(folder))?;
        }
        let sources = apt.join("sources.list");
        fs::write(
            &sources,
            format!("deb [arch={arch} signed-by={DEBIAN_KEYRING}] {mirror} bullseye main\n"),
        )?;
        let user = command::stdout_of(Command::new("id").arg("-un"))?;
        let config = apt.join("apt.conf");
        let (apt, sources) = (apt.display(), sources.display());
        let user = user.trim();
        fs::write(
            &config,
            format!(
                "Dir::Etc \"{apt}/etc\";\nDir::Etc::SourceList \"{sources}\";\n\
                 Dir::Etc::SourceParts \"/dev/null\";\nDir::State::Lists \"{apt}/lists\";\n\
                 Dir::State::Status \"/dev/null\";\nDir::Cache \"{apt}/cache\";\n\
                 APT::Architecture \"{arch}\";\nAPT::Architectures {{ \"{arch}\"; }};\n\
                 APT::Sandbox::User \"{user}\";\nAcquire::Languages \"none\";\n\
                 Acquire::Check-Valid-Until \"false\";\nAcquire::Retries \"3\";\n"
            ),
        )?;
        Ok(config)
    }

    /// Runs one program of the installation with its output in a log of its own.
    fn run(&self, command: &mut Command, log: &str) -> Result<(), Failure> {
        command
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PYTHONWARNINGS", "ignore");
        command::run_logged(command, &self.0.join(format!("{log}.log")), FETCH_LIMIT)
    }
}

/// The archives that this machine's apt already uses, or `$DEBIAN_MIRROR`.
fn debian_mirrors() -> Result<Vec<String>, Failure> {
    if let Ok(mirror) = std::env::var("DEBIAN_MIRROR") {
        return Ok(vec![mirror]);
    }
    let text = command::stdout_of(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    let mut mirrors: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|uri| uri.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
        .collect();
    mirrors.sort();
    mirrors.dedup();
    Ok(mirrors)
}
