//! Lists of metadata in the server's binary form, which costs it and us a fraction of what JSON does: the metadata of custom
//! resources too is sent so. Of each message only what is kept of an object has a field here; the rest is passed over.
//!
//! Source: `generated.proto` of k8s.io/apimachinery (`pkg/apis/meta/v1`, `pkg/runtime`).

use prost::Message;
use prost::bytes::Bytes;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::Endpoint;
use super::live::LivePage;
use super::write::LAST_APPLIED;
use crate::object::{GroupKind, LiveObject, Manager, ObjectId, Owner, Texts, api_group};

/// The media type, without parameters.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// What every message begins with.
const MAGIC: &[u8] = b"k8s\0";

/// `runtime.Unknown`: what stands around every message.
#[derive(Message)]
struct Envelope {
    #[prost(message, optional, tag = "1")]
    type_meta: Option<TypeMeta>,
    #[prost(bytes = "bytes", tag = "2")]
    raw: Bytes,
}

#[derive(Message)]
struct TypeMeta {
    #[prost(string, tag = "2")]
    kind: String,
}

#[derive(Message)]
struct ListMeta {
    #[prost(string, tag = "3")]
    next: String,
}

#[derive(Message)]
struct Partial {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
}

#[derive(Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(string, tag = "5")]
    uid: String,
    #[prost(string, tag = "6")]
    resource_version: String,
    #[prost(message, optional, tag = "8")]
    created: Option<Time>,
    #[prost(message, optional, tag = "9")]
    deleted: Option<Time>,
    #[prost(message, repeated, tag = "11")]
    labels: Vec<Entry>,
    #[prost(message, repeated, tag = "12")]
    annotations: Vec<Entry>,
    #[prost(message, repeated, tag = "13")]
    owners: Vec<Reference>,
    #[prost(message, repeated, tag = "17")]
    managers: Vec<Managed>,
}

/// An entry of a mapping. The value is a part of the answer, and becomes a text only where it is kept.
#[derive(Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

#[derive(Message)]
struct Reference {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    uid: String,
    #[prost(string, tag = "5")]
    api_version: String,
    #[prost(bool, tag = "6")]
    controller: bool,
}

#[derive(Message)]
struct Managed {
    #[prost(string, tag = "1")]
    manager: String,
    #[prost(string, tag = "2")]
    operation: String,
    #[prost(message, optional, tag = "4")]
    time: Option<Time>,
    #[prost(string, tag = "8")]
    subresource: String,
}

/// Reads a page of a list; `None` if it is something else.
pub(super) fn page(body: &Bytes, at: &Endpoint) -> Option<LivePage> {
    if !body.starts_with(MAGIC) {
        return None;
    }
    let envelope = Envelope::decode(body.slice(MAGIC.len()..)).ok()?;
    if envelope.type_meta?.kind != "PartialObjectMetadataList" {
        return None;
    }
    list(envelope.raw, at)
}

/// The fields of a list (1: its metadata, 2: an item), each item made an object as it comes: there may be thousands.
fn list(mut raw: Bytes, at: &Endpoint) -> Option<LivePage> {
    let mut page = LivePage {
        next: String::new(),
        objects: Vec::new(),
    };
    while !raw.is_empty() {
        let (tag, form) = decode_key(&mut raw).ok()?;
        if form != WireType::LengthDelimited {
            skip_field(form, tag, &mut raw, DecodeContext::default()).ok()?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut raw).ok()?).ok()?;
        if length > raw.len() {
            return None;
        }
        let field = raw.split_to(length);
        match tag {
            1 => page.next = ListMeta::decode(field).ok()?.next,
            2 => {
                let metadata = Partial::decode(field).ok()?.metadata;
                page.objects.extend(metadata.map(|metadata| metadata.into_live(at)));
            }
            _ => {}
        }
    }
    Some(page)
}

impl Metadata {
    fn into_live(mut self, at: &Endpoint) -> (ObjectId, Box<LiveObject>) {
        let id = ObjectId {
            group: at.kind.group.clone(),
            kind: at.kind.kind.clone(),
            namespace: Some(self.namespace).filter(|text| at.namespaced && !text.is_empty()),
            name: self.name,
        };
        let count = self.annotations.len();
        self.annotations.retain(|entry| entry.key != LAST_APPLIED);
        let last_applied = self.annotations.len() < count;
        let object = LiveObject {
            uid: self.uid,
            resource_version: self.resource_version,
            created: self.created.map(Time::text).unwrap_or_default(),
            terminating: self.deleted.is_some(),
            labels: texts(self.labels),
            annotations: texts(self.annotations),
            last_applied,
            owners: self.owners.into_iter().map(Reference::into_owner).collect(),
            managers: self.managers.into_iter().map(Managed::into_manager).collect(),
            secret_type: String::new(),
        };
        (id, Box::new(object))
    }
}

/// In one piece of memory that is not larger than they are.
fn texts(entries: Vec<Entry>) -> Texts {
    let mut texts = Texts::with_capacity(entries.len());
    texts.extend(entries.into_iter().map(Entry::text));
    texts
}

impl Entry {
    fn text(self) -> (String, String) {
        (self.key, String::from_utf8_lossy(&self.value).into_owned())
    }
}

impl Time {
    /// RFC 3339, as in JSON.
    fn text(self) -> String {
        jiff::Timestamp::from_second(self.seconds).map_or_else(|_| String::new(), |time| time.to_string())
    }
}

impl Reference {
    fn into_owner(self) -> Owner {
        let group = api_group(&self.api_version);
        Owner {
            kind: GroupKind::new(group, self.kind),
            name: self.name,
            uid: self.uid,
            controller: self.controller,
        }
    }
}

impl Managed {
    fn into_manager(self) -> Manager {
        Manager {
            name: self.manager,
            operation: self.operation,
            subresource: self.subresource,
            time: self.time.map(Time::text).unwrap_or_default(),
            fields: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Scope;

    fn at() -> Endpoint {
        Endpoint::new(GroupKind::new("", "ConfigMap"), "v1", "configmaps", Scope::Namespaced)
    }

    fn entry(key: &str, value: &'static str) -> Entry {
        Entry {
            key: key.to_owned(),
            value: Bytes::from_static(value.as_bytes()),
        }
    }

    fn sent(kind: &str) -> Bytes {
        let metadata = Metadata {
            name: "a".to_owned(),
            namespace: "shop".to_owned(),
            uid: "u".to_owned(),
            resource_version: "7".to_owned(),
            created: Some(Time { seconds: 1_767_323_045 }),
            labels: vec![entry("l", "1")],
            annotations: vec![entry(LAST_APPLIED, "canary"), entry("a", "1")],
            owners: vec![Reference {
                kind: "ReplicaSet".to_owned(),
                api_version: "apps/v1".to_owned(),
                controller: true,
                ..Reference::default()
            }],
            managers: vec![Managed {
                manager: "m".to_owned(),
                operation: "Apply".to_owned(),
                ..Managed::default()
            }],
            ..Metadata::default()
        };
        let next = ListMeta {
            next: "more".to_owned(),
        };
        let item = Partial {
            metadata: Some(metadata),
        };
        // A field that is not known, a number, goes before.
        let mut list = vec![3 << 3, 150, 1];
        prost::encoding::message::encode(1, &next, &mut list);
        prost::encoding::message::encode(2, &item, &mut list);
        let envelope = Envelope {
            type_meta: Some(TypeMeta { kind: kind.to_owned() }),
            raw: list.into(),
        };
        [MAGIC, &envelope.encode_to_vec()].concat().into()
    }

    #[test]
    fn a_page_is_read_as_its_json_is() {
        let page = page(&sent("PartialObjectMetadataList"), &at()).expect("because it is a page");
        assert_eq!(page.next, "more");
        let (id, live) = &page.objects[0];
        assert_eq!(id.to_string(), "ConfigMap/shop/a");
        assert!(live.last_applied && !format!("{live:?}").contains("canary"));
        assert_eq!(live.annotations.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!((&*live.created, &*live.managers[0].time), ("2026-01-02T03:04:05Z", ""));
        assert_eq!(
            (&live.owners[0].kind, live.owners[0].controller),
            (&GroupKind::new("apps", "ReplicaSet"), true)
        );
    }

    #[test]
    fn what_is_no_page_is_none() {
        let good = sent("PartialObjectMetadataList");
        for end in 0..good.len() {
            // Cut anywhere it is refused, or it ends between two fields of the envelope.
            let _ = page(&good.slice(..end), &at());
        }
        for body in [
            sent("Status"),
            Bytes::from_static(b"{}"),
            Bytes::from_static(b"k8s\0\xff\xff"),
            good.slice(..good.len() - 1),
        ] {
            assert!(page(&body, &at()).is_none());
        }
    }
}
