//! `configMapGenerator`, and the plugin `ConfigMapGenerator`.

use serde_json::{Map, Value};

use super::kv::{Args, CONFIG_MAP, Options, base64, finish, frame, pairs};
use crate::context::Context;
use crate::resource::Resource;
use crate::shape::{Manner, read};
use crate::trouble::Outcome;

/// One ConfigMap to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec(Args);

impl Spec {
    /// An item of `configMapGenerator`, with the `generatorOptions` beside it.
    pub fn from_field(item: &Value, global: Option<&Options>) -> Outcome<Spec> {
        let args: Args = read(item, &CONFIG_MAP, Manner::Strict)?;
        Ok(Spec(args.modernized(global)))
    }

    /// The configuration of a plugin.
    pub fn from_plugin(config: &Value) -> Outcome<Spec> {
        Args::from_plugin(config, &CONFIG_MAP).map(Spec)
    }
}

/// Makes the ConfigMap. What is not UTF-8 goes to `binaryData`.
pub(crate) fn generate(Spec(args): &Spec, cx: &Context<'_>) -> Outcome<Vec<Resource>> {
    let mut object = frame("ConfigMap", args)?;
    let (mut data, mut binary) = (Map::new(), Map::new());
    for (key, bytes) in pairs(args, &|path| cx.files.read_shut(path))? {
        match String::from_utf8(bytes) {
            Ok(text) => data.insert(key, Value::String(text)),
            Err(error) => binary.insert(key, Value::String(base64(error.as_bytes()))),
        };
    }
    for (field, texts) in [("data", data), ("binaryData", binary)] {
        if !texts.is_empty() {
            object.insert(field.to_owned(), Value::Object(texts));
        }
    }
    Ok(vec![finish(object, args)])
}
