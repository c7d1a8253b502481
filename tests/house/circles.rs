//! There is one reading order through each crate: no file uses another that uses it, by however many steps.
//!
//! A file's uses are read from its syntax: every path that starts at `crate`, `super`, `self` or a child module leads to the
//! file that defines the name, also through `pub use`. That a module declares its children is not a use, and tests are left
//! out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree};

use super::{files, root};

/// A module of a crate: its path from the crate's root, such as `["db", "outbox"]`.
type Module = Vec<String>;

/// What one file holds.
#[derive(Debug, Default)]
struct File {
    /// Modules it declares, without those of tests.
    children: BTreeSet<String>,
    /// Names that it takes from elsewhere, and where from, as written.
    imports: BTreeMap<String, Vec<String>>,
    /// All paths that lead out of it or into a child, as written.
    paths: BTreeSet<Vec<String>>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Path>()
                    .is_ok_and(|path| path.is_ident("test")))
    })
}

impl<'ast> Visit<'ast> for File {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if is_test(attributes) {
            return;
        }
        if let Item::Mod(item) = item
            && item.content.is_none()
        {
            self.children.insert(item.ident.to_string());
        }
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut pending = vec![(Vec::new(), &item.tree)];
        while let Some((prefix, tree)) = pending.pop() {
            let with = |name: &syn::Ident| {
                let mut path = prefix.clone();
                if name != "self" || path.is_empty() {
                    path.push(name.to_string());
                }
                path
            };
            match tree {
                UseTree::Path(path) => pending.push((with(&path.ident), &path.tree)),
                UseTree::Group(group) => {
                    pending.extend(group.items.iter().map(|tree| (prefix.clone(), tree)));
                }
                UseTree::Glob(_) => {
                    self.paths.insert([prefix, vec!["*".to_owned()]].concat());
                }
                UseTree::Name(name) => {
                    let path = with(&name.ident);
                    let last = path.last().cloned().unwrap_or_default();
                    self.imports.insert(last, path.clone());
                    self.paths.insert(path);
                }
                UseTree::Rename(rename) => {
                    let path = with(&rename.ident);
                    self.imports.insert(rename.rename.to_string(), path.clone());
                    self.paths.insert(path);
                }
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let path: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.paths.insert(path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // What stands in a macro is not parsed: paths are found in its tokens.
        let text = call.tokens.to_string().replace(" :: ", "::");
        let separators = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
        for word in text.split(separators) {
            let path: Vec<String> = word
                .split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect();
            if path.len() > 1 {
                self.paths.insert(path);
            }
        }
        visit::visit_macro(self, call);
    }
}

/// One crate's modules.
struct Crate(BTreeMap<Module, File>);

impl Crate {
    fn read(source: &Path) -> Self {
        let mut modules = BTreeMap::new();
        for path in files(source, ".rs") {
            let inside = path
                .strip_prefix(source)
                .expect("below it")
                .with_extension("");
            let mut module: Module = inside
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            let text = fs::read_to_string(&path).expect("a source file");
            let syntax =
                syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let mut file = File::default();
            file.visit_file(&syntax);
            modules.insert(module, file);
        }
        // A file of tests belongs to nobody.
        let declared: BTreeSet<Module> = modules
            .iter()
            .flat_map(|(module, file)| {
                file.children
                    .iter()
                    .map(|child| [module.clone(), vec![child.clone()]].concat())
            })
            .collect();
        modules.retain(|module, _| {
            module.is_empty() || module == &["main"] || declared.contains(module)
        });
        Self(modules)
    }

    /// The module that defines what `path`, written in `at`, names; `None` when it leaves the crate.
    fn resolve(&self, at: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let (mut module, rest) = match first.as_str() {
            "crate" | "$crate" => (Vec::new(), rest),
            "self" => (at.clone(), rest),
            "super" => {
                let supers = path.iter().take_while(|part| *part == "super").count();
                let kept = at.len().checked_sub(supers)?;
                (at[..kept].to_vec(), &path[supers..])
            }
            child if self.0.get(at)?.children.contains(child) => (at.clone(), path),
            name => {
                // A module that was imported, and a name in it.
                let import = self.0.get(at)?.imports.get(name)?;
                if rest.is_empty() || depth > 8 || import == path {
                    return None;
                }
                let full: Vec<String> = import.iter().chain(rest).cloned().collect();
                return self.resolve(at, &full, depth + 1);
            }
        };
        let mut rest = rest;
        while let Some((name, further)) = rest.split_first() {
            let file = self.0.get(&module)?;
            if file.children.contains(name) {
                module.push(name.clone());
                rest = further;
            } else if let Some(import) = file.imports.get(name)
                && depth < 8
            {
                let full: Vec<String> = import.iter().chain(further).cloned().collect();
                return self.resolve(&module, &full, depth + 1);
            } else {
                break;
            }
        }
        // Naming a module is not using what is in it.
        (!rest.is_empty()).then_some(module)
    }

    fn uses(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        self.0
            .iter()
            .map(|(module, file)| {
                let used = file
                    .paths
                    .iter()
                    .filter_map(|path| self.resolve(module, path, 0))
                    .filter(|used| used != module && self.0.contains_key(used))
                    .collect();
                (module, used)
            })
            .collect()
    }
}

/// The modules that lie on a circle, each with those it uses there.
fn circles(source: &Path) -> Vec<String> {
    let modules = Crate::read(source);
    let mut graph = modules.uses();
    // What uses nothing that is left, or is used by nothing that is left, lies on no circle.
    loop {
        let left: BTreeSet<Module> = graph.keys().map(|module| (*module).clone()).collect();
        let used: BTreeSet<Module> = graph.values().flatten().cloned().collect();
        graph.retain(|module, uses| {
            uses.retain(|used| left.contains(used));
            !uses.is_empty() && used.contains(*module)
        });
        if graph.len() == left.len() {
            break;
        }
    }
    let name = |module: &Module| {
        if module.is_empty() {
            "(root)".to_owned()
        } else {
            module.join("::")
        }
    };
    graph
        .iter()
        .map(|(module, used)| {
            let names: Vec<String> = used.iter().map(name).collect();
            format!("{} uses {}", name(module), names.join(", "))
        })
        .collect()
}

#[test]
fn no_file_uses_one_that_uses_it() {
    let mut sources = vec![root().join("src")];
    for entry in fs::read_dir(root().join("crates")).expect("crates/") {
        let source = entry.expect("an entry").path().join("src");
        if source.is_dir() {
            sources.push(source);
        }
    }
    let mut found = Vec::new();
    for source in &sources {
        let read = Crate::read(source)
            .uses()
            .values()
            .map(BTreeSet::len)
            .sum::<usize>();
        assert!(read > 2, "{}: hardly any use was read", source.display());
        found.extend(
            circles(source)
                .into_iter()
                .map(|line| format!("{}: {line}", source.display())),
        );
    }
    assert!(found.is_empty(), "circles:\n{}", found.join("\n"));
}
