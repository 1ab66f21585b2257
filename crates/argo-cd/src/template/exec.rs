//! Running a template (`text/template/exec.go`).

use std::collections::BTreeMap;

use super::argument::{accept, ideal, literal, param};
use super::bounds::{Bounds, LONGEST};
use super::functions::{self, Type};
use super::node::{Arg, Branch, Node, Pipe};
use super::print::display;
use super::{Failure, MissingKey, Value};

/// Templates within templates.
const DEEPEST: usize = 100;
type Result<T> = std::result::Result<T, Failure>;

/// Renders the main template.
pub(crate) fn execute(templates: &BTreeMap<String, Vec<Node>>, data: Value, missing: MissingKey) -> Result<String> {
    let mut state = State {
        templates,
        missing,
        variables: vec![("", data.clone())],
        out: String::new(),
        bounds: Bounds::default(),
        depth: 0,
    };
    if let Some(nodes) = templates.get("") {
        state.walk(&data, nodes)?;
    }
    Ok(state.out)
}

struct State<'t> {
    templates: &'t BTreeMap<String, Vec<Node>>,
    missing: MissingKey,
    variables: Vec<(&'t str, Value)>,
    out: String,
    bounds: Bounds,
    depth: usize,
}

#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(Failure::new(message))
}

impl<'t> State<'t> {
    fn write(&mut self, text: &str) -> Result<()> {
        if self.out.len() + text.len() > LONGEST {
            return fail(format!("the template writes more than {LONGEST} bytes"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn walk(&mut self, dot: &Value, nodes: &'t [Node]) -> Result<Flow> {
        for node in nodes {
            self.bounds.step(1)?;
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Action(pipe) => {
                    let value = self.pipeline(dot, pipe)?;
                    if pipe.declared.is_empty() {
                        match value {
                            Value::Absent | Value::Nil => self.write("<no value>")?,
                            value => {
                                let text = display(&value)?;
                                self.write(&text)?;
                            }
                        }
                    }
                }
                Node::If(branch) | Node::With(branch) => {
                    let flow = self.either(dot, branch, matches!(node, Node::With(_)))?;
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
                Node::Range(branch) => {
                    let flow = self.range(dot, branch)?;
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
                Node::Template(name, pipe) => self.template(dot, name, pipe.as_ref())?,
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::On)
    }

    fn either(&mut self, dot: &Value, branch: &'t Branch, with: bool) -> Result<Flow> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = match (value.truth(), with) {
            (true, true) => self.walk(&value, &branch.then)?,
            (true, false) => self.walk(dot, &branch.then)?,
            (false, _) => self.walk(dot, &branch.otherwise)?,
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn template(&mut self, dot: &Value, name: &str, pipe: Option<&'t Pipe>) -> Result<()> {
        let Some(nodes) = self.templates.get(name) else {
            return fail(format!("template {name:?} not defined"));
        };
        if self.depth >= DEEPEST {
            return fail(format!("exceeded maximum template depth ({DEEPEST})"));
        }
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::Absent,
        };
        let outer = std::mem::replace(&mut self.variables, vec![("", dot.clone())]);
        self.depth += 1;
        self.walk(&dot, nodes)?;
        self.depth -= 1;
        self.variables = outer;
        Ok(())
    }

    fn range(&mut self, dot: &Value, branch: &'t Branch) -> Result<Flow> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        // The variables of the pipeline are those of each round.
        let inner = self.variables.len();
        let rounds: Vec<(Value, Value)> = match &value {
            Value::Absent | Value::Nil => Vec::new(),
            Value::Int(count) | Value::Int64(count) => {
                if branch.pipe.declared.len() > 1 {
                    return fail("can't use an integer to iterate over more than one variable");
                }
                let count = usize::try_from(*count).unwrap_or(0);
                self.bounds.step(count)?;
                let wide = matches!(value, Value::Int64(_));
                let number = |at| if wide { Value::Int64(at) } else { Value::Int(at) };
                (0..).map(|at| (Value::Int(at), number(at))).take(count).collect()
            }
            other => {
                let entries = other
                    .entries()
                    .into_iter()
                    .flatten()
                    .map(|(key, value)| (Value::Text(key), value));
                let items = other.items().into_iter().flatten();
                let items = (0..).map(Value::Int).zip(items);
                if !other.is_collection() {
                    return fail(format!("range can't iterate over {}", display(other)?));
                }
                items.chain(entries).collect()
            }
        };
        let mut flow = Flow::On;
        if rounds.is_empty() {
            flow = self.walk(dot, &branch.otherwise)?;
        }
        for (index, item) in rounds {
            self.round(&branch.pipe, inner, index, &item)?;
            let ended = self.walk(&item, &branch.then)?;
            self.variables.truncate(inner);
            if ended == Flow::Break {
                break;
            }
        }
        self.variables.truncate(mark);
        Ok(flow)
    }

    /// Sets the variables of a round.
    fn round(&mut self, pipe: &'t Pipe, inner: usize, index: Value, item: &Value) -> Result<()> {
        let values = match pipe.declared.len() {
            0 => return Ok(()),
            1 => vec![item.clone()],
            _ => vec![index, item.clone()],
        };
        for (at, value) in values.into_iter().enumerate() {
            if pipe.assign {
                self.assign(&pipe.declared[at], value)?;
            } else if let Some(slot) = self.variables.get_mut(inner - pipe.declared.len() + at) {
                slot.1 = value;
            }
        }
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Value) -> Result<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some(slot) => slot.1 = value,
            None => return fail(format!("undefined variable: ${name}")),
        }
        Ok(())
    }

    fn pipeline(&mut self, dot: &Value, pipe: &'t Pipe) -> Result<Value> {
        let mut value = None;
        for command in &pipe.commands {
            self.bounds.step(1)?;
            value = Some(self.command(dot, command, value)?.unwrapped());
        }
        let value = value.unwrap_or(Value::Absent);
        for name in &pipe.declared {
            match pipe.assign {
                true => self.assign(name, value.clone())?,
                false => self.variables.push((name, value.clone())),
            }
        }
        Ok(value)
    }

    /// `last` is what the command before came to.
    fn command(&mut self, dot: &Value, args: &'t [Arg], last: Option<Value>) -> Result<Value> {
        let has_args = args.len() > 1 || last.is_some();
        match &args[0] {
            Arg::Field(fields) => self.fields(dot.clone(), fields, has_args),
            Arg::Chain(inner, fields) => self.chain(dot, inner, fields, has_args),
            Arg::Variable(name, fields) if !fields.is_empty() => {
                let value = self.variable(name)?;
                self.fields(value, fields, has_args)
            }
            Arg::Function(name) => self.call(dot, name, &args[1..], last),
            Arg::Nil => fail("nil is not a command"),
            _ if has_args => fail("can't give argument to non-function"),
            Arg::Pipe(pipe) => self.pipeline(dot, pipe),
            Arg::Variable(name, _) => self.variable(name),
            Arg::Dot => Ok(dot.clone()),
            Arg::Bool(truth) => Ok(Value::Bool(*truth)),
            Arg::Text(text) => Ok(Value::from(text.as_str())),
            Arg::Number(number) => ideal(number),
        }
    }

    fn variable(&self, name: &str) -> Result<Value> {
        match self.variables.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => fail(format!("undefined variable: ${name}")),
        }
    }

    fn chain(&mut self, dot: &Value, inner: &'t Arg, fields: &[String], has_args: bool) -> Result<Value> {
        if matches!(inner, Arg::Nil) {
            return fail("indirection through explicit nil");
        }
        let value = match inner {
            Arg::Pipe(pipe) => self.pipeline(dot, pipe)?,
            Arg::Function(name) => self.call(dot, name, &[], None)?,
            _ => return fail("a field of what has none"),
        };
        self.fields(value, fields, has_args)
    }

    fn fields(&self, mut value: Value, fields: &[String], has_args: bool) -> Result<Value> {
        for (at, field) in fields.iter().enumerate() {
            value = self.field(&value, field, has_args && at + 1 == fields.len())?;
        }
        Ok(value)
    }

    fn field(&self, of: &Value, field: &str, has_args: bool) -> Result<Value> {
        let (found, zero) = match of {
            Value::Absent if self.missing == MissingKey::Error => {
                return fail(format!("nil data; no entry for key {field:?}"));
            }
            Value::Absent => return Ok(Value::Absent),
            Value::Nil => return fail(format!("nil pointer evaluating interface {{}}.{field}")),
            _ if has_args && matches!(of, Value::Map(_) | Value::TextMap(_)) => {
                return fail(format!("{field} is not a method but has arguments"));
            }
            Value::Map(entries) => (entries.borrow().get(field).cloned(), Value::Nil),
            Value::TextMap(entries) => (entries.get(field).cloned().map(Value::Text), Value::from("")),
            _ => {
                return Err(Failure::missing(format!(
                    "can't evaluate field {field} in type {}",
                    of.type_name()
                )));
            }
        };
        match (found, self.missing) {
            (Some(value), _) => Ok(value),
            (None, MissingKey::NoValue) => Ok(Value::Absent),
            (None, MissingKey::Zero) => Ok(zero),
            (None, MissingKey::Error) => Err(Failure::missing(format!("map has no entry for key {field:?}"))),
        }
    }

    fn call(&mut self, dot: &Value, name: &str, args: &'t [Arg], last: Option<Value>) -> Result<Value> {
        let function = functions::find(name)?;
        let count = args.len() + usize::from(last.is_some());
        let fixed = function.params.len();
        let wrong = match function.rest {
            Some(_) => count < fixed,
            None => count != fixed,
        };
        if wrong {
            let want = if function.rest.is_some() {
                format!("at least {fixed}")
            } else {
                fixed.to_string()
            };
            return fail(format!("wrong number of args for {name}: want {want} got {count}"));
        }
        if let "and" | "or" = name {
            return self.short_circuit(dot, name == "or", args, last);
        }
        let mut values = Vec::with_capacity(count);
        for (at, arg) in args.iter().enumerate() {
            values.push(self.arg(dot, param(function, at), arg)?);
        }
        if let Some(last) = last {
            values.push(accept(last, param(function, args.len()))?);
        }
        for value in &values {
            self.bounds.weigh(value)?;
        }
        let result = (function.run)(&mut self.bounds, &values).map_err(|failure| Failure {
            message: format!("error calling {name}: {}", failure.message),
            ..failure
        })?;
        self.bounds.weigh(&result)?;
        Ok(result)
    }

    fn short_circuit(&mut self, dot: &Value, stop: bool, args: &'t [Arg], last: Option<Value>) -> Result<Value> {
        let mut value = Value::Absent;
        for arg in args {
            value = self.arg(dot, Type::Raw, arg)?;
            if value.truth() == stop {
                return Ok(value);
            }
        }
        match last {
            Some(last) => accept(last, Type::Raw),
            None => Ok(value),
        }
    }

    /// An argument, for a parameter of some type.
    fn arg(&mut self, dot: &Value, wanted: Type, arg: &'t Arg) -> Result<Value> {
        self.bounds.step(1)?;
        let value = match arg {
            Arg::Dot => dot.clone(),
            Arg::Field(fields) => self.fields(dot.clone(), fields, false)?,
            Arg::Variable(name, fields) => self.fields(self.variable(name)?, fields, false)?,
            Arg::Pipe(pipe) => self.pipeline(dot, pipe)?,
            Arg::Function(name) => self.call(dot, name, &[], None)?,
            Arg::Chain(inner, fields) => self.chain(dot, inner, fields, false)?,
            Arg::Nil => {
                return match wanted {
                    Type::Any | Type::Raw => Ok(Value::Absent),
                    Type::Map => Ok(Value::map([])),
                    _ => fail(format!("cannot assign nil to {}", wanted.name())),
                };
            }
            constant => return literal(constant, wanted),
        };
        accept(value, wanted)
    }
}
