//! What is wrong with the input: collected, never thrown; shown all at once.

use std::fmt;

use super::ObjectId;
use crate::error::printable;

/// A file and, where known, a line (1-based). The path is relative to the tree's root, with `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Path in the tree.
    pub file: String,
    /// Line, 1-based.
    pub line: Option<usize>,
}

impl Place {
    /// A file and a line.
    pub fn at(file: impl Into<String>, line: usize) -> Self {
        Self {
            file: file.into(),
            line: Some(line),
        }
    }

    /// A file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
        }
    }
}

impl fmt::Display for Place {
    /// `apps/web.yaml:12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.file))?;
        match self.line {
            Some(line) => write!(f, ":{line}"),
            None => Ok(()),
        }
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// Something could not be used: a document, an object, a unit. The rest goes on; exit code 3. `--strict` refuses.
    Error,
    /// It was used, but not quite as written (last key wins, a status was dropped). `--strict` refuses.
    Warning,
    /// It was used as written, and what that means is worth knowing. `--strict` takes it.
    Note,
}

/// One thing wrong with the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub kind: ProblemKind,
    /// Where it stands; several when two places contradict each other.
    pub places: Vec<Place>,
    /// The object concerned, where known.
    pub object: Option<ObjectId>,
    /// Consequence first, then the cause; no file, line or object in it.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// Something that could not be used.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::Error,
            places: vec![place],
            object: None,
            message: message.into(),
            hint: None,
        }
    }

    /// Something that was used, but not quite as written.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::Warning,
            ..Self::error(place, message)
        }
    }

    /// Something that was used as written, and is worth knowing.
    pub fn note(place: Place, message: impl Into<String>) -> Self {
        Self {
            kind: ProblemKind::Note,
            ..Self::error(place, message)
        }
    }

    /// Names the object concerned.
    #[must_use]
    pub fn of(mut self, object: ObjectId) -> Self {
        self.object = Some(object);
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn and_at(mut self, place: Place) -> Self {
        self.places.push(place);
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    /// `apps/web.yaml:12: Deployment/shop/web: message` and, on a line of its own, `  hint: …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.places.iter().enumerate() {
            write!(f, "{}{place}", if index == 0 { "" } else { " and " })?;
        }
        if let Some(object) = &self.object {
            write!(f, ": {object}")?;
        }
        write!(f, ": {}", printable(&self.message))?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {}", printable(hint)),
            None => Ok(()),
        }
    }
}
