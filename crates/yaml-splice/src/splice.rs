//! One edit after the other, each read again.

use serde_json::Value;

use crate::document::Reading;
use crate::intent::{apply, at};
use crate::look;
use crate::refine::{refine, same};
use crate::share::unshared;
use crate::slot::{Change, Page, changed, walk};
use crate::tree::{self, Kind, Node};
use crate::{Edit, Edited, Error, Step};

/// Moves of anchors before one change; each takes an alias away.
const MOST_MOVES: usize = 64;

/// Edits a document of a file, by its index among those that have content.
///
/// # Errors
/// When there is no such document, it cannot be read, or an edit leads nowhere. Then nothing of the edits counts.
pub fn edit(text: &str, document: usize, edits: &[Edit]) -> Result<Edited, Error> {
    let mut edited = Edited {
        text: text.to_owned(),
        reemitted: false,
    };
    for edit in edits {
        let reading = Reading::of(&edited.text);
        let old = reading.value(document)?;
        let mut new = old.clone();
        apply(&mut new, edit)?;
        let mut singles = Vec::new();
        match edit {
            Edit::Set { path, value } if at(old, path).is_some() => {
                refine(at(old, path).unwrap_or(&Value::Null), value, path, &mut singles);
            }
            other => singles.push(other.clone()),
        }
        for single in &singles {
            let done = one(&edited.text, document, single)?;
            edited.text = done.text;
            edited.reemitted |= done.reemitted;
        }
    }
    Ok(edited)
}

/// One change.
fn one(text: &str, index: usize, edit: &Edit) -> Result<Edited, Error> {
    let reading = Reading::of(text);
    let old = reading.value(index)?;
    let mut new = old.clone();
    apply(&mut new, edit)?;
    if same(old, &new) {
        return Ok(Edited {
            text: text.to_owned(),
            reemitted: false,
        });
    }
    let kept = unshare(text, &reading, index, edit);
    let text = kept.as_deref().unwrap_or(text);
    let moved;
    let reading = match &kept {
        None => reading,
        Some(text) => {
            moved = text.clone();
            Reading::of(&moved)
        }
    };
    let good = |candidate: String| {
        if reading.becomes(&candidate, index, &new) {
            return Some(candidate);
        }
        // A block of text that ends with the file needs the end of its last line.
        let ended = format!("{candidate}\n");
        (!candidate.ends_with('\n') && reading.becomes(&ended, index, &new)).then_some(ended)
    };
    let in_place = reading.within(text, index, &|page, root| in_place(page, root, edit, &new));
    if let Some(text) = in_place.and_then(good) {
        return Ok(Edited { text, reemitted: false });
    }
    for depth in (0..=edit.path().len()).rev() {
        let path = &edit.path()[..depth];
        let Some(value) = at(&new, path) else { continue };
        let again = reading.within(text, index, &|page, root| {
            let slots = walk(page.text, root, path);
            page.write(*slots.get(depth)?, value)
        });
        if let Some(text) = again.and_then(good) {
            return Ok(Edited { text, reemitted: true });
        }
    }
    Err(Error::Unwritable)
}

/// The text in which no alias stands for what is going to be changed; `None` where none does.
fn unshare(text: &str, reading: &Reading, index: usize, edit: &Edit) -> Option<String> {
    let value = reading.value(index).ok()?.clone();
    let mut last = None;
    for _ in 0..MOST_MOVES {
        let now = last.as_deref().unwrap_or(text);
        let reading = Reading::of(now);
        let range = reading.range(index)?;
        let root = tree::read(&now[range.clone()]).ok()??;
        let look = reading.look(now, index, &root);
        let page = Page {
            text: &now[range.clone()],
            look,
        };
        let Some(moved) = unshared(page, &root, &value, edit) else {
            break;
        };
        let next = format!("{}{moved}{}", &now[..range.start], &now[range.end..]);
        if !reading.becomes(&next, index, &value) {
            break;
        }
        last = Some(next);
    }
    last
}

fn in_place(page: Page<'_>, root: &Node, edit: &Edit, new: &Value) -> Option<Vec<Change>> {
    let path = edit.path();
    let slots = walk(page.text, root, path);
    let depth = slots.len() - 1;
    let here = slots[depth];
    let value = |depth: usize| at(new, &path[..depth]);
    let is_there = depth == path.len();
    match edit {
        Edit::Remove { .. } if is_there => page.remove(*slots.get(depth.checked_sub(1)?)?, path.last()?),
        Edit::Set { .. } if is_there => page.write(here, value(depth)?),
        Edit::Insert { value, .. } if is_there => {
            let Some(Step::Index(index)) = path.last() else {
                return None;
            };
            page.insert_item(slots[depth - 1], value, *index)
        }
        _ => match &here.node.kind {
            Kind::Map { entries, .. } if !entries.is_empty() => {
                let Step::Key(key) = path.get(depth)? else { return None };
                if matches!(edit, Edit::Remove { .. }) {
                    return None;
                }
                let before = match edit {
                    Edit::Insert {
                        before: Some(before), ..
                    } if depth + 1 == path.len() => entries.iter().position(|entry| entry.key.as_ref() == Some(before)),
                    _ => None,
                };
                page.insert_entry(here, key, value(depth + 1)?, before.unwrap_or(entries.len()))
            }
            Kind::List { items, .. } if !items.is_empty() => match edit {
                Edit::Insert { value, .. } if depth + 1 == path.len() => page.insert_item(here, value, items.len()),
                _ => None,
            },
            // Empty, or an alias, which is overridden.
            _ => page.write(here, value(depth)?),
        },
    }
}

impl Reading {
    /// The file with a document of it changed.
    fn within(
        &self,
        text: &str,
        index: usize,
        change: &dyn Fn(Page<'_>, &Node) -> Option<Vec<Change>>,
    ) -> Option<String> {
        let range = self.range(index)?;
        let piece = &text[range.clone()];
        let root = tree::read(piece).ok()??;
        let look = self.look(text, index, &root);
        let changes = change(Page { text: piece, look }, &root)?;
        let piece = changed(piece, changes)?;
        Some(format!("{}{piece}{}", &text[..range.start], &text[range.end..]))
    }

    fn look(&self, text: &str, index: usize, root: &Node) -> look::Look {
        let others = (0..self.len()).filter(|other| *other != index);
        let others = others.filter_map(|other| {
            let piece = &text[self.range(other)?];
            Some((piece, tree::read(piece).ok()??))
        });
        // Only where the document itself does not tell.
        let piece = self.range(index).map_or("", |range| &text[range]);
        let alone = look::of(piece, Some(root), &[]);
        match alone.told {
            true => alone,
            false => look::of(piece, Some(root), &others.collect::<Vec<_>>()),
        }
    }
}
