//! Finds the Postgres server programs of this machine, and what is installed beside them.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Oldest major version the mailer supports.
pub const OLDEST_MAJOR: u32 = 14;

/// Environment variable that names the directory of `postgres` and `initdb`, before any other place.
pub const BIN_DIR_VARIABLE: &str = "SEQPULSE_PG_BIN";

/// Why no usable Postgres server was found.
#[derive(Debug, thiserror::Error)]
pub enum PgBinError {
    /// `SEQPULSE_PG_BIN` points at something else.
    #[error(
        "{BIN_DIR_VARIABLE}={}: no postgres and initdb programs there; example: {BIN_DIR_VARIABLE}=/usr/lib/postgresql/15/bin",
        .0.display()
    )]
    Override(PathBuf),
    /// Not in any of the usual places.
    #[error(
        "no PostgreSQL server programs found (postgres, initdb) in /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin or PATH; \
         install them (Debian and Ubuntu: apt-get install postgresql) or set {BIN_DIR_VARIABLE} to their directory"
    )]
    NotFound,
    /// There, but it does not run or answers something unexpected.
    #[error("{}: cannot tell its version: {reason}", .program.display())]
    Version {
        /// The `postgres` program.
        program: PathBuf,
        /// What it did instead.
        reason: String,
    },
    /// Found, but older than [`OLDEST_MAJOR`].
    #[error("PostgreSQL {found} in {} is too old: {OLDEST_MAJOR} or newer is needed", .dir.display())]
    TooOld {
        /// Its major version.
        found: u32,
        /// Where it is.
        dir: PathBuf,
    },
}

/// The directory of a Postgres installation's programs. Only `postgres` and `initdb` are needed: no client program is.
#[derive(Debug, Clone)]
pub struct PgBin {
    dir: PathBuf,
    major: u32,
}

impl PgBin {
    /// The directory in `SEQPULSE_PG_BIN`; else the newest of Debian's and PGDG's directories; else the one of the
    /// `postgres` in `PATH`.
    pub fn find() -> Result<Self, PgBinError> {
        if let Some(dir) = env::var_os(BIN_DIR_VARIABLE).filter(|value| !value.is_empty()) {
            return Self::at(Path::new(&dir));
        }
        let mut versioned = versioned_dirs();
        versioned.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
        let dir = versioned
            .into_iter()
            .map(|(_, dir)| dir)
            .chain(path_dir())
            .find(|dir| has_server(dir))
            .ok_or(PgBinError::NotFound)?;
        Self::at(&dir)
    }

    /// The installation whose programs are in `dir`.
    pub fn at(dir: &Path) -> Result<Self, PgBinError> {
        if !has_server(dir) {
            return Err(PgBinError::Override(dir.to_path_buf()));
        }
        let major = major_version(&dir.join("postgres"))?;
        if major < OLDEST_MAJOR {
            return Err(PgBinError::TooOld {
                found: major,
                dir: dir.to_path_buf(),
            });
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            major,
        })
    }

    /// Major version, such as 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Full path of one program, such as `postgres`; it need not exist.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Whether `name` is installed for this server: its control file, and the library that preloading needs.
    ///
    /// Looked up as files, because the answer is needed before there is a server to ask.
    pub fn has_extension(&self, name: &str) -> bool {
        let control = format!("extension/{name}.control");
        let library = format!("{name}.so");
        self.share_dirs()
            .iter()
            .any(|dir| dir.join(&control).is_file())
            && self
                .library_dirs()
                .iter()
                .any(|dir| dir.join(&library).is_file())
    }

    /// Where extensions' control files may be: relative to the programs, and Debian's split layout.
    fn share_dirs(&self) -> Vec<PathBuf> {
        let prefix = self.dir.join("..");
        vec![
            prefix.join("share/postgresql"),
            prefix.join("share"),
            PathBuf::from(format!("/usr/share/postgresql/{}", self.major)),
        ]
    }

    /// Where extensions' libraries may be.
    fn library_dirs(&self) -> Vec<PathBuf> {
        let prefix = self.dir.join("..");
        vec![prefix.join("lib/postgresql"), prefix.join("lib")]
    }
}

/// Directories that carry a version in their name: `/usr/lib/postgresql/15/bin`, `/usr/pgsql-15/bin`.
fn versioned_dirs() -> Vec<(u32, PathBuf)> {
    let entries = |dir: &str| fs::read_dir(dir).into_iter().flatten().flatten();
    let major =
        |name: &OsStr, prefix: &str| name.to_str()?.strip_prefix(prefix)?.parse::<u32>().ok();
    let debian = entries("/usr/lib/postgresql").map(|entry| ("", entry));
    let pgdg = entries("/usr").map(|entry| ("pgsql-", entry));
    debian
        .chain(pgdg)
        .filter_map(|(prefix, entry)| {
            Some((major(&entry.file_name(), prefix)?, entry.path().join("bin")))
        })
        .collect()
}

/// The real directory of the `postgres` in `PATH`, links resolved: extensions are looked up relative to it.
fn path_dir() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find_map(|dir| {
        Some(
            dir.join("postgres")
                .canonicalize()
                .ok()?
                .parent()?
                .to_path_buf(),
        )
    })
}

fn has_server(dir: &Path) -> bool {
    dir.join("postgres").is_file() && dir.join("initdb").is_file()
}

/// Reads `postgres (PostgreSQL) 15.8 (Debian …)`.
fn major_version(program: &Path) -> Result<u32, PgBinError> {
    let error = |reason: String| PgBinError::Version {
        program: program.to_path_buf(),
        reason,
    };
    let output = Command::new(program)
        .arg("--version")
        .output()
        .map_err(|source| error(source.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace()
        .nth(2)
        .map(|version| {
            version
                .chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        })
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| error(format!("--version printed {:?}", text.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_server_is_refused_by_name() {
        let error = PgBin::at(Path::new("/nonexistent/bin")).expect_err("nothing is there");
        assert!(error.to_string().contains("/nonexistent/bin"), "{error}");
        assert!(error.to_string().contains(BIN_DIR_VARIABLE), "{error}");
    }
}
