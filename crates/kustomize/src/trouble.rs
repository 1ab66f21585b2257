//! What a step reports when it cannot do its work. The walk adds where it happened and makes it an [`Error`](crate::Error).

/// One thing that went wrong, told by the step that met it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What is wrong, in one sentence without a final point; it names the object or target where there is one.
    pub message: String,
    /// The field of the kustomization file, when the step knows it better than its caller: `patches[2].path`.
    pub field: Option<String>,
    /// The file that is at fault, when it is another than the kustomization: path from the root of the [`Files`](crate::Files).
    pub file: Option<String>,
    /// Line in that file, from 1.
    pub line: Option<usize>,
}

impl Trouble {
    pub fn new(message: impl Into<String>) -> Self {
        Trouble {
            message: message.into(),
            field: None,
            file: None,
            line: None,
        }
    }

    /// The same, in a field of the kustomization.
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field.get_or_insert(field.into());
        self
    }

    /// The same, in another file than the kustomization.
    pub fn in_file(mut self, file: impl Into<String>, line: Option<usize>) -> Self {
        if self.file.is_none() {
            self.file = Some(file.into());
            self.line = line;
        }
        self
    }
}

/// What a step comes back with.
pub(crate) type Outcome<T> = Result<T, Trouble>;
