//! The formats of files that SOPS knows.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::store;
use crate::tree::Tree;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// YAML, as go-yaml v3 reads it; with comments, and with several documents.
    Yaml,
    /// JSON: an object.
    Json,
    /// Lines `NAME=VALUE`.
    Dotenv,
    /// Sections of `name = value`, as `gopkg.in/ini.v1` reads them.
    Ini,
    /// Any bytes. Encrypted they are JSON with one value, `data`.
    Binary,
}

impl Format {
    /// The format that SOPS takes a file for by its name; binary, if it knows none.
    pub fn of_path(path: &str) -> Format {
        let ends = |ending: &str| path.ends_with(ending);
        match () {
            () if ends(".yaml") || ends(".yml") => Format::Yaml,
            () if ends(".json") => Format::Json,
            () if ends(".env") => Format::Dotenv,
            () if ends(".ini") => Format::Ini,
            () => Format::Binary,
        }
    }

    /// Reads a file that is not encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`].
    pub fn read(self, file: &[u8]) -> Result<Tree, Error> {
        store::read_plain(self, file)
    }

    /// Writes a tree in clear, as `sops decrypt` does.
    ///
    /// # Errors
    ///
    /// [`Error::Unwritable`].
    pub fn write(self, tree: &Tree, layout: &Layout) -> Result<Zeroizing<Vec<u8>>, Error> {
        store::write_plain(self, tree, layout)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Yaml => "YAML",
            Format::Json => "JSON",
            Format::Dotenv => "dotenv",
            Format::Ini => "INI",
            Format::Binary => "binary",
        })
    }
}

impl FromStr for Format {
    type Err = Error;

    /// The names that `sops --input-type` takes.
    fn from_str(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "yaml" => Format::Yaml,
            "json" => Format::Json,
            "dotenv" => Format::Dotenv,
            "ini" => Format::Ini,
            "binary" => Format::Binary,
            _ => {
                return Err(crate::error::config(
                    "format",
                    "not one of yaml, json, dotenv, ini, binary",
                ));
            }
        })
    }
}

/// How files are laid out: what `stores` of `.sops.yaml` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Spaces of a level in YAML, 2 to 9. SOPS has 4 unless told otherwise.
    pub yaml_indent: usize,
    /// Spaces of a level in JSON; `None` is a tab.
    pub json_indent: Option<usize>,
    /// Spaces of a level in the JSON of binary files; `None` is a tab.
    pub binary_indent: Option<usize>,
}

impl Default for Layout {
    fn default() -> Self {
        Layout {
            yaml_indent: 4,
            json_indent: None,
            binary_indent: None,
        }
    }
}
