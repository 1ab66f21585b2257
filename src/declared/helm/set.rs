//! The grammar of `helm --set`: `a.b=1,list[0].name=x,names={a,b}`. Pure.
//!
//! Flux's `targetPath`, Argo CD's Helm parameters and file parameters go through it too. The rules are those of Helm's
//! `pkg/strvals/parser.go`, its odd ones included: what ends early is often taken, and `a[0].b=` sets nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

/// Values whose maps and lists are shared until one is replaced, as Go's are: what is set in one place shows in the other. Flux's
/// order of precedence hangs on it.
#[derive(Debug, Clone)]
pub(super) enum Shared {
    /// A text, number, boolean or null.
    Leaf(Value),
    Map(Rc<RefCell<BTreeMap<String, Shared>>>),
    List(Rc<RefCell<Vec<Shared>>>),
}

impl Shared {
    pub fn map(entries: BTreeMap<String, Self>) -> Self {
        Self::Map(Rc::new(RefCell::new(entries)))
    }

    fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    fn text(text: &str) -> Self {
        Self::Leaf(text.into())
    }
}

impl From<&Value> for Shared {
    fn from(value: &Value) -> Self {
        match value {
            Value::Object(map) => Self::map(map.iter().map(|(key, value)| (key.clone(), value.into())).collect()),
            Value::Array(items) => Self::list(items.iter().map(Into::into).collect()),
            leaf => Self::Leaf(leaf.clone()),
        }
    }
}

impl From<&Shared> for Value {
    fn from(shared: &Shared) -> Self {
        match shared {
            Shared::Leaf(value) => value.clone(),
            Shared::Map(map) => {
                let map = map.borrow();
                Value::Object(map.iter().map(|(key, value)| (key.clone(), value.into())).collect())
            }
            Shared::List(items) => Value::Array(items.borrow().iter().map(Into::into).collect()),
        }
    }
}

/// What becomes of the text of a value.
pub(super) type Reader<'r> = &'r mut dyn FnMut(String) -> Result<Value, String>;

/// `--set`: booleans, null and decimal integers without a leading zero are what they look like; the rest is text.
pub(super) fn typed(text: String) -> Result<Value, String> {
    let word = |word: &str| text.eq_ignore_ascii_case(word);
    if word("true") || word("false") {
        return Ok(Value::Bool(word("true")));
    }
    if word("null") {
        return Ok(Value::Null);
    }
    let number = text
        .parse::<i64>()
        .ok()
        .filter(|_| text == "0" || !text.starts_with('0'));
    Ok(number.map_or_else(|| text.into(), Value::from))
}

/// `--set-string`: everything is text.
pub(super) fn text(text: String) -> Result<Value, String> {
    Ok(Value::String(text))
}

/// Sets what a line says.
///
/// # Errors
/// Says what is wrong with the line; nothing of it is quoted, since a comma in a password begins a name. Some of it may have been set.
pub(super) fn assign(line: &str, values: &Shared, reader: Reader<'_>) -> Result<(), String> {
    let Shared::Map(values) = values else {
        return Err("the values are no map".to_owned());
    };
    let mut parser = Parser {
        rest: line.chars().collect::<Vec<_>>().into_iter(),
        reader,
    };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Halt::End) => return Ok(()),
            Err(Halt::Wrong(message)) => return Err(message),
        }
    }
}

/// Deepest nesting, as Helm's `MaxNestedNameLevel`.
const DEEPEST: usize = 30;
/// Largest index, as Helm's `MaxIndex`.
const LARGEST_INDEX: usize = 65_536;

/// Why parsing stops.
enum Halt {
    /// The line is at its end, which is no error.
    End,
    Wrong(String),
}

impl Halt {
    fn wrong<T>(message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Wrong(message.into()))
    }
}

struct Parser<'r> {
    rest: std::vec::IntoIter<char>,
    reader: Reader<'r>,
}

type Entries = RefCell<BTreeMap<String, Shared>>;

/// An empty key is left out.
fn put(entries: &Entries, key: &str, value: Shared) {
    if !key.is_empty() {
        entries.borrow_mut().insert(key.to_owned(), value);
    }
}

/// The list with an item set; another list when it had to grow.
fn put_item(list: &Rc<RefCell<Vec<Shared>>>, index: usize, value: Shared) -> Result<Rc<RefCell<Vec<Shared>>>, Halt> {
    if index > LARGEST_INDEX {
        return Halt::wrong(format!("the index {index} is larger than {LARGEST_INDEX}"));
    }
    if let Some(item) = list.borrow_mut().get_mut(index) {
        *item = value;
        return Ok(list.clone());
    }
    let mut items = list.borrow().clone();
    items.resize(index, Shared::Leaf(Value::Null));
    items.push(value);
    Ok(Rc::new(RefCell::new(items)))
}

impl Parser<'_> {
    /// What comes before one of some characters, and that character; `None` at the end of the line. A backslash takes the
    /// meaning from the next character.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                c if stops.contains(&c) => return (text, Some(c)),
                '\\' => match self.rest.next() {
                    Some(next) => text.push(next),
                    None => break,
                },
                c => text.push(c),
            }
        }
        (text, None)
    }

    fn key(&mut self, entries: &Entries, depth: usize) -> Result<(), Halt> {
        let (key, stop) = self.until(&['=', '[', ',', '.']);
        match stop {
            None if key.is_empty() => Err(Halt::End),
            None => Halt::wrong("a name has no value"),
            Some(',') => Halt::wrong("a name has no value before a comma"),
            Some('[') => {
                let index = self.index()?;
                let known = entries.borrow().get(&key).cloned();
                let list = match known {
                    None => Rc::default(),
                    Some(Shared::List(list)) => list,
                    Some(_) => return Halt::wrong("what is to be a list is none already"),
                };
                let (list, result) = self.item(list, index, depth);
                put(entries, &key, Shared::List(list));
                result
            }
            Some('=') => match self.value() {
                Ok(value) => {
                    put(entries, &key, value);
                    Ok(())
                }
                Err(Halt::End) => {
                    put(entries, &key, Shared::text(""));
                    Err(Halt::End)
                }
                Err(wrong) => Err(wrong),
            },
            Some(_) => self.inner(entries, &key, depth + 1),
        }
    }

    /// What comes behind `key.`
    fn inner(&mut self, entries: &Entries, key: &str, depth: usize) -> Result<(), Halt> {
        if depth > DEEPEST {
            return Halt::wrong(format!("names are nested deeper than {DEEPEST}"));
        }
        let known = entries.borrow().get(key).cloned();
        let inner = match known {
            None => Rc::default(),
            Some(Shared::Map(inner)) => inner,
            Some(_) => return Halt::wrong("what is to be a map is none already"),
        };
        let result = self.key(&inner, depth);
        let is_empty = inner.borrow().is_empty();
        if result.is_ok() && is_empty {
            return Halt::wrong("a name has no value");
        }
        if !is_empty {
            put(entries, key, Shared::Map(inner));
        }
        result
    }

    /// The number before `]`.
    fn index(&mut self) -> Result<usize, Halt> {
        let (text, stop) = self.until(&[']']);
        stop.ok_or(Halt::End)?;
        let index = text.parse::<i64>().ok();
        let index = index.and_then(|index| usize::try_from(index).ok());
        index.map_or_else(|| Halt::wrong("what stands in [] is no index"), Ok)
    }

    /// What comes behind `]`, set in a list. The list is given back however it ends.
    fn item(
        &mut self,
        list: Rc<RefCell<Vec<Shared>>>,
        index: usize,
        depth: usize,
    ) -> (Rc<RefCell<Vec<Shared>>>, Result<(), Halt>) {
        match self
            .item_value(&list, index, depth)
            .and_then(|value| put_item(&list, index, value))
        {
            Ok(list) => (list, Ok(())),
            Err(halt) => (list, Err(halt)),
        }
    }

    fn item_value(&mut self, list: &RefCell<Vec<Shared>>, index: usize, depth: usize) -> Result<Shared, Halt> {
        let (key, stop) = self.until(&['[', '.', '=']);
        if !key.is_empty() {
            return Halt::wrong("something stands behind an index");
        }
        let known = list.borrow().get(index).cloned();
        match stop {
            None => Err(Halt::End),
            Some('=') => match self.value() {
                Err(Halt::End) => Ok(Shared::text("")),
                value => value,
            },
            Some('[') => {
                let next = self.index()?;
                let list = match known {
                    None | Some(Shared::Leaf(Value::Null)) => Rc::default(),
                    Some(Shared::List(list)) => list,
                    Some(_) => return Halt::wrong("what is to be a list is none already"),
                };
                let (list, result) = self.item(list, next, depth);
                result.map(|()| Shared::List(list))
            }
            Some(_) => {
                let inner = match known {
                    Some(Shared::Map(inner)) => inner,
                    Some(_) => {
                        let inner: Rc<Entries> = Rc::default();
                        // What was there is no map, and goes even if nothing is set.
                        if let Some(item) = list.borrow_mut().get_mut(index) {
                            *item = Shared::Map(inner.clone());
                        }
                        inner
                    }
                    None => Rc::default(),
                };
                self.key(&inner, depth)?;
                Ok(Shared::Map(inner))
            }
        }
    }

    /// A value, or a list in braces.
    fn value(&mut self) -> Result<Shared, Halt> {
        match self.rest.as_slice().first() {
            None => Err(Halt::End),
            Some('{') => self.list(),
            Some(_) => {
                let (text, _) = self.until(&[',']);
                self.leaf(text)
            }
        }
    }

    fn list(&mut self) -> Result<Shared, Halt> {
        self.rest.next();
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            if stop.is_none() {
                return Halt::wrong("a list does not end with }");
            }
            items.push(self.leaf(text)?);
            if stop == Some('}') {
                if self.rest.as_slice().first() == Some(&',') {
                    self.rest.next();
                }
                return Ok(Shared::list(items));
            }
        }
    }

    fn leaf(&mut self, text: String) -> Result<Shared, Halt> {
        (self.reader)(text).map(Shared::Leaf).map_err(Halt::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::helm::golden;
    use serde_json::json;

    /// `golden/sets.jsonl`, written by Helm's own strvals.
    #[test]
    fn lines_set_what_helm_sets() {
        let rows = golden::rows("sets", include_str!("golden/sets.jsonl"));
        assert!(rows.len() >= 500);
        let mut wrong = Vec::new();
        for row in &rows {
            let values = Shared::from(&row[2]);
            let line = row[0].as_str().expect("a line");
            let result = match row[1] == true {
                true => assign(line, &values, &mut text),
                false => assign(line, &values, &mut typed),
            };
            let found = result.map_or(Value::Null, |()| Value::from(&values));
            if found != row[3] {
                wrong.push(format!("{row} but {found}"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {} wrong, such as\n{}",
            wrong.len(),
            rows.len(),
            wrong[0]
        );
    }

    #[test]
    fn errors_quote_nothing() {
        for line in [
            "a=x,CANARY",
            "a.b=1",
            "a[CANARY]=1",
            "a[0]CANARY=1",
            "a={CANARY",
            "a[70000]=CANARY",
        ] {
            let values = Shared::from(&json!({"a": "text"}));
            let error = assign(line, &values, &mut typed).expect_err("it is wrong");
            assert!(!error.contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn deep_lines_are_refused() {
        let line = format!("{}=1", vec!["a"; 40].join("."));
        let error = assign(&line, &Shared::from(&json!({})), &mut typed).expect_err("it is too deep");
        assert_eq!(error, "names are nested deeper than 30");
    }
}
