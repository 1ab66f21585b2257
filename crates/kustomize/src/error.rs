//! What is wrong with a build.

/// One problem of a build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Error {
    /// The file at fault: path from the root of the [`Files`](crate::Files).
    pub file: String,
    /// Line in it, from 1, where known.
    pub line: Option<usize>,
    /// The field of the kustomization, such as `patches[2].path`; empty where none is at fault.
    pub field: String,
    /// What is wrong, in one sentence without a final point.
    pub message: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong with a root, and what is still to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Errors {
    /// Problems, in the order in which they were met. Never empty while `later` is.
    pub errors: Vec<Error>,
    /// What [`Outside`](crate::Outside) answered [`Later`](crate::Answer::Later) to.
    pub later: Vec<Request>,
}

/// Something from elsewhere that a build needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// A remote base or file.
    Remote(String),
    /// A chart.
    Chart(crate::outside::Chart),
}

impl std::fmt::Display for Errors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, error) in self.errors.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
