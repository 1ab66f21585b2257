//! `refloat render`: print what is declared.

use std::io;

use super::console::{self, Console};
use super::declare;
use crate::cli::{Output, RenderArgs, RenderOutput};
use crate::error::{Exit, Failure};
use crate::object::builtin;
use crate::report;

pub(super) fn run(args: &RenderArgs) -> Result<Exit, Failure> {
    let mut console = Console::new(Output::Human);
    let version = args.kube_version.unwrap_or(builtin::NEWEST);
    let kinds = builtin::served_kinds(version);
    let target = declare::Target {
        kinds: &kinds,
        version,
        namespace: args.source.namespace.as_deref().unwrap_or("default"),
        cluster: None,
    };
    let set = declare::declare(&args.source, target, &mut |event| console.say(event))?;
    console.preflight(&set.problems, &[], true);
    declare::strict(&args.source, &set)?;
    let how = report::Rendering {
        with_provenance: args.with_provenance,
        show_secrets: args.show_secrets,
    };
    console::data(|out: &mut dyn io::Write| match args.output {
        RenderOutput::Yaml => report::yaml(&set, how, out),
        RenderOutput::Json => report::json_lines(&set, how, out),
    });
    Ok(report::exit_of(None, &set.problems, &[]))
}
