//! What happens in the demo, as a list: each scene is one statement of the application and the letters it must cause.

/// One statement of the application.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    /// Whom the letters go to, as the table shows it.
    pub(super) who: &'static str,
    /// One statement that returns one uuid.
    pub(super) statement: &'static str,
    /// Its parameters.
    pub(super) parameters: &'static [&'static str],
    /// What it must cause.
    pub(super) letters: &'static [Expected],
}

/// A letter that must arrive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Catalogue code.
    pub(super) code: &'static str,
    /// Dedupe key (contract §7); `{id}` stands for what the statement returned.
    pub(super) key: &'static str,
}

/// E-TRX-01: somebody signs up.
const fn signs_up(who: &'static str, parameters: &'static [&'static str; 2]) -> Scene {
    Scene {
        who,
        statement: include_str!("sql/sign_up.sql"),
        parameters,
        letters: &[Expected {
            code: "E-TRX-01",
            key: "welcome_signup:{id}",
        }],
    }
}

/// The whole demo, in order.
pub(super) const SCENES: &[Scene] = &[
    signs_up("Nassir", &["Nassir Benali", "nassir.benali@exemple.fr"]),
    signs_up("Nadia", &["Nadia Fournier", "nadia.fournier@exemple.fr"]),
    signs_up("Éloïse", &["Éloïse Lefèvre", "eloise.lefevre@exemple.fr"]),
    signs_up(
        "Jean-Baptiste",
        &["Jean-Baptiste N'Diaye", "jb.ndiaye@exemple.fr"],
    ),
    signs_up("Chloé", &["Chloé D'Angelo", "chloe.dangelo@exemple.fr"]),
    signs_up("Maëlys", &["Maëlys O'Connor-Œuvrard", "maelys@exemple.fr"]),
];
