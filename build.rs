//! Rebuilds when an embedded SQL file or template is added, changed or removed: the macros that embed folders do not see
//! new files by themselves.

fn main() {
    for folder in ["migrations", "sql", "templates"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
