//! Arguments of functions (`text/template/exec.go`, `validateType`, `evalArg`).

use super::functions::{Function, Type};
use super::node::{Arg, Number};
use super::{Failure, Value};

type Result<T> = std::result::Result<T, Failure>;

fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(Failure::new(message))
}

/// The type of a parameter.
pub(super) fn param(function: &Function, at: usize) -> Type {
    function.params.get(at).copied().or(function.rest).unwrap_or(Type::Any)
}

/// A value for a parameter (`validateType`).
pub(super) fn accept(value: Value, wanted: Type) -> Result<Value> {
    match (wanted, &value) {
        (Type::Any | Type::Raw, _)
        | (Type::Text, Value::Text(_))
        | (Type::Int, Value::Int(_))
        | (Type::Float, Value::Float(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Map, Value::Map(_)) => Ok(value),
        (Type::Map, Value::Absent) => Ok(Value::map([])),
        (_, Value::Absent) => fail(format!("invalid value; expected {}", wanted.name())),
        (_, Value::Nil) => fail(format!(
            "wrong type for value; expected {}; got interface {{}}",
            wanted.name()
        )),
        _ => fail(format!(
            "wrong type for value; expected {}; got {}",
            wanted.name(),
            value.type_name()
        )),
    }
}

/// A constant for a parameter.
pub(super) fn literal(arg: &Arg, wanted: Type) -> Result<Value> {
    match (wanted, arg) {
        (Type::Any | Type::Raw, Arg::Number(number)) => ideal(number),
        (Type::Any | Type::Raw | Type::Bool, Arg::Bool(truth)) => Ok(Value::Bool(*truth)),
        (Type::Any | Type::Raw | Type::Text, Arg::Text(text)) => Ok(Value::from(text.as_str())),
        (Type::Int, Arg::Number(Number { int: Some(int), .. })) => Ok(Value::Int(*int)),
        (Type::Float, Arg::Number(Number { float: Some(float), .. })) => Ok(Value::Float(*float)),
        (Type::Int, _) => fail("expected integer"),
        (wanted, _) => fail(format!("expected {}", wanted.name())),
    }
}

/// What a number is where any value may stand (`idealConstant`).
pub(super) fn ideal(number: &Number) -> Result<Value> {
    match (number.ideal_float, number.float, number.int) {
        (true, Some(float), _) => Ok(Value::Float(float)),
        (_, _, Some(int)) => Ok(Value::Int(int)),
        (_, Some(float), _) => Ok(Value::Float(float)),
        _ => fail(format!("{} overflows int", number.text)),
    }
}
