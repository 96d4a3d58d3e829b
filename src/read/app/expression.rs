//! Expressions as far as a port or an address may be written in one. What is more than that is unclear, never an error.

use std::ops::Range;

#[derive(Clone, Debug)]
pub struct Expression {
    pub shape: Shape,
    /// Bytes of the text.
    pub range: Range<usize>,
}

#[derive(Clone, Debug)]
pub enum Shape {
    Text(Vec<Part>),
    Number,
    True,
    False,
    /// `null`, `None`, `nil`, `undefined`
    Nothing,
    Name(String),
    Member(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    Call(Box<Call>),
    /// The entries, and whether these are all.
    Object(Vec<(String, Expression)>, bool),
    /// Arrays and tuples.
    List(Vec<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Choice(Box<[Expression; 3]>),
    /// A function; its result, when it is one expression.
    Function(Option<Box<Expression>>),
    Unclear,
}

#[derive(Clone, Debug)]
pub enum Part {
    Verbatim(Range<usize>),
    Fixed(String, Range<usize>),
    Code(Expression),
}

#[derive(Clone, Debug)]
pub struct Call {
    pub callee: Expression,
    pub arguments: Vec<Argument>,
    /// A Ruby block's result.
    pub block: Option<Expression>,
}

#[derive(Clone, Debug)]
pub struct Argument {
    /// `...` for a spread list.
    pub name: Option<String>,
    pub value: Expression,
}

impl Call {
    /// The arguments without a name, in order.
    pub fn positional(&self, index: usize) -> Option<&Expression> {
        self.arguments.iter().filter(|argument| argument.name.is_none()).nth(index).map(|argument| &argument.value)
    }

    pub fn named(&self, name: &str) -> Option<&Expression> {
        self.arguments.iter().find(|argument| argument.name.as_deref() == Some(name)).map(|argument| &argument.value)
    }

    /// `f(*list, **more)`: what is passed is not all visible.
    pub fn has_spread(&self) -> bool {
        self.arguments.iter().any(|argument| argument.name.as_deref() == Some("..."))
    }
}

impl Expression {
    /// `a.b.c` as its names; calls within count as the name of what is called.
    pub fn path(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut current = self;
        loop {
            match &current.shape {
                Shape::Name(name) => {
                    names.push(name.as_str());
                    break;
                }
                Shape::Member(of, name) => {
                    names.push(name.as_str());
                    current = of;
                }
                Shape::Call(call) => current = &call.callee,
                _ => break,
            }
        }
        names.reverse();
        names
    }

    pub fn is_path(&self, names: &[&str]) -> bool {
        self.path() == names
    }
}
