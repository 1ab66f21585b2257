//! What is wrong with an input.

/// One problem, with the field that it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Error {
    /// The field at fault, such as `spec.sources[1].helm.parameters[0].name`; empty where none is.
    pub field: String,
    /// What is wrong, in one sentence without a final point.
    pub message: String,
}

impl Error {
    /// A problem of a field.
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
