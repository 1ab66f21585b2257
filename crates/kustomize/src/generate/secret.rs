//! `secretGenerator`, and the plugin `SecretGenerator`.

use serde_json::{Map, Value};

use super::kv::{Args, Options, SECRET, base64, finish, frame, pairs};
use crate::context::Context;
use crate::resource::Resource;
use crate::shape::{Manner, read};
use crate::trouble::Outcome;

/// One Secret to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec(Args);

impl Spec {
    /// An item of `secretGenerator`, with the `generatorOptions` beside it.
    pub fn from_field(item: &Value, global: Option<&Options>) -> Outcome<Spec> {
        let args: Args = read(item, &SECRET, Manner::Strict)?;
        Ok(Spec(args.modernized(global)))
    }

    /// The configuration of a plugin.
    pub fn from_plugin(config: &Value) -> Outcome<Spec> {
        Args::from_plugin(config, &SECRET).map(Spec)
    }
}

/// Makes the Secret. It has `data` even when there is none.
pub(crate) fn generate(Spec(args): &Spec, cx: &Context<'_>) -> Outcome<Vec<Resource>> {
    let mut object = frame("Secret", args)?;
    let kind = if args.secret_type.is_empty() {
        "Opaque"
    } else {
        &args.secret_type
    };
    object.insert("type".to_owned(), Value::String(kind.to_owned()));
    let data: Map<String, Value> = pairs(args, &|path| cx.files.read(path))?
        .into_iter()
        .map(|(key, bytes)| (key, Value::String(base64(&bytes))))
        .collect();
    object.insert("data".to_owned(), Value::Object(data));
    Ok(vec![finish(object, args)])
}
