//! The tree of a template (`text/template/parse/parse.go`).

use std::collections::BTreeMap;

use super::Failure;
use super::lex::{Token, lex};
use super::node::{Arg, Branch, Node, Number, Pipe, number};

/// Levels of actions and parentheses.
const DEEPEST: usize = 100;

/// The templates of a text; the main one has the empty name.
pub(crate) fn parse(text: &str, known: &dyn Fn(&str) -> bool) -> Result<BTreeMap<String, Vec<Node>>, Failure> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        known,
        variables: vec!["".to_owned()],
        ranges: 0,
        depth: 0,
        templates: BTreeMap::new(),
    };
    let (nodes, end) = parser.list(true)?;
    if end != Stop::End {
        return fail("unexpected {{end}} or {{else}}");
    }
    parser.templates.insert(String::new(), nodes);
    Ok(parser.templates)
}

struct Parser<'k> {
    tokens: Vec<Token>,
    at: usize,
    known: &'k dyn Fn(&str) -> bool,
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
    templates: BTreeMap<String, Vec<Node>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    End,
    EndAction,
    Else,
}

fn fail<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(message))
}

fn is_empty(nodes: &[Node]) -> bool {
    nodes
        .iter()
        .all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn skip_space(&mut self) {
        while *self.peek() == Token::Space {
            self.at += 1;
        }
    }

    fn peek_word(&mut self) -> &Token {
        self.skip_space();
        self.peek()
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T, Failure> {
        let what = match token {
            Token::End => "end of the template".to_owned(),
            Token::Close => "\"}}\"".to_owned(),
            Token::Keyword(word) => format!("{{{{{word}}}}}"),
            Token::Ident(name) | Token::Field(name) | Token::Variable(name) | Token::Number(name) => {
                format!("{name:?}")
            }
            Token::Declare => "\":=\"".to_owned(),
            Token::Assign => "\"=\"".to_owned(),
            Token::Pipe => "\"|\"".to_owned(),
            Token::Comma => "\",\"".to_owned(),
            Token::OpenParen => "\"(\"".to_owned(),
            Token::CloseParen => "\")\"".to_owned(),
            _ => "word".to_owned(),
        };
        fail(format!("unexpected {what} in {context}"))
    }

    /// Goes a level down.
    fn deeper(&mut self) -> Result<(), Failure> {
        self.depth += 1;
        match self.depth > DEEPEST {
            true => fail(format!("more than {DEEPEST} levels of actions")),
            false => Ok(()),
        }
    }

    /// Nodes up to an end or an else, whose word has been read.
    fn list(&mut self, top: bool) -> Result<(Vec<Node>, Stop), Failure> {
        self.deeper()?;
        let mut nodes = Vec::new();
        loop {
            match self.next() {
                Token::End if top => break self.ends(nodes, Stop::End),
                Token::End => return fail("unexpected end of the template: {{end}} is missing"),
                Token::Text(text) => nodes.push(Node::Text(text)),
                _ => {}
            }
            if !matches!(self.tokens.get(self.at - 1), Some(Token::Open)) {
                continue;
            }
            match self.peek_word().clone() {
                Token::Keyword("end") => {
                    self.next();
                    self.close("end")?;
                    break self.ends(nodes, Stop::EndAction);
                }
                Token::Keyword("else") => {
                    self.next();
                    break self.ends(nodes, Stop::Else);
                }
                Token::Keyword("define") if top => {
                    self.next();
                    self.define()?;
                }
                Token::Keyword(word) => {
                    self.next();
                    nodes.push(self.keyword(word)?);
                }
                _ => {
                    let pipe = self.pipeline("command", false)?;
                    nodes.push(Node::Action(pipe));
                }
            }
        }
    }

    fn ends(&mut self, nodes: Vec<Node>, stop: Stop) -> Result<(Vec<Node>, Stop), Failure> {
        self.depth -= 1;
        Ok((nodes, stop))
    }

    fn close(&mut self, context: &str) -> Result<(), Failure> {
        self.skip_space();
        match self.next() {
            Token::Close => Ok(()),
            token => self.unexpected(&token, context),
        }
    }

    fn keyword(&mut self, word: &'static str) -> Result<Node, Failure> {
        match word {
            "if" | "with" | "range" => self.control(word),
            "template" => {
                let name = self.name(word)?;
                let pipe = match self.peek_word() {
                    Token::Close => {
                        self.next();
                        None
                    }
                    _ => Some(self.pipeline(word, false)?),
                };
                Ok(Node::Template(name, pipe))
            }
            "block" => {
                let name = self.name(word)?;
                let pipe = self.pipeline(word, false)?;
                let nodes = self.body(word)?;
                self.add(name.clone(), nodes)?;
                Ok(Node::Template(name, Some(pipe)))
            }
            "break" | "continue" if self.ranges == 0 => fail(format!("{{{{{word}}}}} outside {{{{range}}}}")),
            "break" => self.close(word).map(|()| Node::Break),
            "continue" => self.close(word).map(|()| Node::Continue),
            _ => fail(format!("unexpected {{{{{word}}}}}")),
        }
    }

    fn name(&mut self, context: &str) -> Result<String, Failure> {
        self.skip_space();
        match self.next() {
            Token::Quoted(name) => Ok(name),
            token => self.unexpected(&token, &format!("{context} clause")),
        }
    }

    fn define(&mut self) -> Result<(), Failure> {
        let name = self.name("define")?;
        self.close("define clause")?;
        let nodes = self.body("define")?;
        self.add(name, nodes)
    }

    /// The nodes of a template of its own: other variables, no range around it.
    fn body(&mut self, context: &str) -> Result<Vec<Node>, Failure> {
        let variables = std::mem::replace(&mut self.variables, vec!["".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, stop) = self.list(false)?;
        self.variables = variables;
        self.ranges = ranges;
        match stop {
            Stop::EndAction => Ok(nodes),
            _ => fail(format!("unexpected {{{{else}}}} in {context} clause")),
        }
    }

    fn add(&mut self, name: String, nodes: Vec<Node>) -> Result<(), Failure> {
        match self.templates.get(&name) {
            Some(there) if !is_empty(there) && !is_empty(&nodes) => {
                fail(format!("template: multiple definition of template {name:?}"))
            }
            Some(there) if !is_empty(there) => Ok(()),
            _ => {
                self.templates.insert(name, nodes);
                Ok(())
            }
        }
    }

    fn control(&mut self, word: &'static str) -> Result<Node, Failure> {
        self.deeper()?;
        let variables = self.variables.len();
        let pipe = self.pipeline(word, false)?;
        if word == "range" {
            self.ranges += 1;
        }
        let (then, stop) = self.list(false)?;
        if word == "range" {
            self.ranges -= 1;
        }
        let mut otherwise = Vec::new();
        if stop == Stop::Else {
            // `{{else if …}}` and `{{else with …}}` have the end of the whole.
            match self.peek_word() {
                Token::Keyword(next) if *next == word && word != "range" => {
                    self.next();
                    otherwise.push(self.control(word)?);
                }
                _ => {
                    self.close("else")?;
                    let (nodes, stop) = self.list(false)?;
                    if stop != Stop::EndAction {
                        return fail("expected end; found {{else}}");
                    }
                    otherwise = nodes;
                }
            }
        }
        self.variables.truncate(variables);
        self.depth -= 1;
        let branch = Branch { pipe, then, otherwise };
        Ok(match word {
            "if" => Node::If(branch),
            "with" => Node::With(branch),
            _ => Node::Range(branch),
        })
    }

    /// A pipeline and the word that ends it.
    fn pipeline(&mut self, context: &str, parenthesized: bool) -> Result<Pipe, Failure> {
        self.deeper()?;
        let mut pipe = Pipe::default();
        self.declarations(context, &mut pipe)?;
        loop {
            self.skip_space();
            match self.peek().clone() {
                Token::CloseParen if parenthesized => break,
                Token::Close if !parenthesized => break,
                Token::Bool(_)
                | Token::Char(_)
                | Token::Dot
                | Token::Field(_)
                | Token::Ident(_)
                | Token::Number(_)
                | Token::Nil
                | Token::Quoted(_)
                | Token::Variable(_)
                | Token::OpenParen => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                token => return self.unexpected(&token, context),
            }
        }
        self.next();
        self.depth -= 1;
        if pipe.commands.is_empty() {
            return fail(format!("missing value for {context}"));
        }
        for (at, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command[0],
                Arg::Bool(_) | Arg::Dot | Arg::Nil | Arg::Number(_) | Arg::Text(_)
            ) {
                return fail(format!("non executable command in pipeline stage {}", at + 1));
            }
        }
        Ok(pipe)
    }

    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Result<(), Failure> {
        loop {
            let Token::Variable(name) = self.peek_word().clone() else {
                return Ok(());
            };
            let start = self.at;
            self.next();
            match self.peek_word().clone() {
                token @ (Token::Assign | Token::Declare) => {
                    self.next();
                    pipe.assign = token == Token::Assign;
                    pipe.declared.push(name.clone());
                    self.variables.push(name);
                    return Ok(());
                }
                Token::Comma => {
                    self.next();
                    pipe.declared.push(name.clone());
                    self.variables.push(name);
                    if context != "range" || pipe.declared.len() > 1 {
                        return fail(format!("too many declarations in {context}"));
                    }
                    if !matches!(self.peek_word(), Token::Variable(_) | Token::Close | Token::CloseParen) {
                        return fail("range can only initialize variables");
                    }
                }
                _ => {
                    self.at = start;
                    return Ok(());
                }
            }
        }
    }

    fn command(&mut self) -> Result<Vec<Arg>, Failure> {
        let mut args = Vec::new();
        loop {
            self.skip_space();
            args.extend(self.operand()?);
            match self.peek() {
                Token::Space => {
                    self.next();
                }
                Token::Close | Token::CloseParen => break,
                Token::Pipe => {
                    self.next();
                    break;
                }
                token => return self.unexpected(&token.clone(), "operand"),
            }
        }
        match args.is_empty() {
            true => fail("empty command"),
            false => Ok(args),
        }
    }

    fn operand(&mut self) -> Result<Option<Arg>, Failure> {
        let Some(mut arg) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        while let Token::Field(name) = self.peek().clone() {
            self.next();
            fields.push(name);
        }
        if fields.is_empty() {
            return Ok(Some(arg));
        }
        match &mut arg {
            Arg::Field(before) | Arg::Variable(_, before) => before.append(&mut fields),
            Arg::Bool(_) | Arg::Text(_) | Arg::Number(_) | Arg::Nil | Arg::Dot => {
                return fail("unexpected . after term");
            }
            _ => return Ok(Some(Arg::Chain(Box::new(arg), fields))),
        }
        Ok(Some(arg))
    }

    fn term(&mut self) -> Result<Option<Arg>, Failure> {
        let arg = match self.peek().clone() {
            Token::Ident(name) if !(self.known)(&name) => return fail(format!("function {name:?} not defined")),
            Token::Ident(name) => Arg::Function(name),
            Token::Dot => Arg::Dot,
            Token::Nil => Arg::Nil,
            Token::Variable(name) if !self.variables.contains(&name) => {
                return fail(format!("undefined variable \"${name}\""));
            }
            Token::Variable(name) => Arg::Variable(name, Vec::new()),
            Token::Field(name) => Arg::Field(vec![name]),
            Token::Bool(truth) => Arg::Bool(truth),
            Token::Number(text) => Arg::Number(number(text)?),
            Token::Char(c) => Arg::Number(Number {
                text: format!("{c:?}"),
                int: Some(i64::from(u32::from(c))),
                float: Some(f64::from(u32::from(c))),
                ideal_float: false,
            }),
            Token::Quoted(text) => Arg::Text(text),
            Token::OpenParen => {
                self.next();
                let pipe = self.pipeline("parenthesized pipeline", true)?;
                return Ok(Some(Arg::Pipe(Box::new(pipe))));
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(arg))
    }
}
