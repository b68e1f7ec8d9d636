//! The syntax tree of a formula.

use super::number::Number;

/// How deep a formula may be nested.
pub const MAX_DEPTH: u16 = 256;

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expr {
    pub(super) kind: Kind,
    /// Column of its operator, name or first character.
    pub(super) column: u32,
    /// 1 for a leaf, else one more than the deepest part.
    pub(super) depth: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number(Number),
    Str(String),
    None,
    Name(String),
    Prefix(Prefix, Box<Expr>),
    /// `a + b - c …`: operators of one precedence, applied from left to right. One node however long, so that depth
    /// counts nesting only.
    Chain(Box<Expr>, Vec<(Infix, u32, Expr)>),
    Attribute(Box<Expr>, String),
    Call(Box<Expr>, Arguments),
    Index(Box<Expr>, Vec<Item>),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
}

/// What stands between a call's parentheses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(String, u32, Expr)>,
}

/// One place of an index.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Expr(Expr),
    Slice(Option<Expr>, Option<Expr>, Option<Expr>),
    Ellipsis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    Plus,
    Minus,
    Invert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Infix {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Matmul,
    Power,
    And,
    Or,
    Xor,
    LeftShift,
    RightShift,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Infix {
    /// Operator, and how tightly it binds.
    pub(super) fn parse(op: &str) -> Option<(Infix, u8)> {
        use Infix::*;
        Some(match op {
            "==" => (Equal, 1),
            "!=" => (NotEqual, 1),
            "<" => (Less, 1),
            "<=" => (LessEqual, 1),
            ">" => (Greater, 1),
            ">=" => (GreaterEqual, 1),
            "|" => (Or, 2),
            "^" => (Xor, 3),
            "&" => (And, 4),
            "<<" => (LeftShift, 5),
            ">>" => (RightShift, 5),
            "+" => (Add, 6),
            "-" => (Subtract, 6),
            "*" => (Multiply, 7),
            "/" => (Divide, 7),
            "//" => (FloorDivide, 7),
            "%" => (Remainder, 7),
            "@" => (Matmul, 7),
            _ => return None,
        })
    }

    /// As it is written.
    pub(super) fn symbol(self) -> &'static str {
        use Infix::*;
        match self {
            Add => "+",
            Subtract => "-",
            Multiply => "*",
            Divide => "/",
            FloorDivide => "//",
            Remainder => "%",
            Matmul => "@",
            Power => "**",
            And => "&",
            Or => "|",
            Xor => "^",
            LeftShift => "<<",
            RightShift => ">>",
            Equal => "==",
            NotEqual => "!=",
            Less => "<",
            LessEqual => "<=",
            Greater => ">",
            GreaterEqual => ">=",
        }
    }
}

impl Expr {
    /// Calls `f` with every name in it, the name's column, and whether it stands where a function is called.
    pub(crate) fn names<'a>(&'a self, f: &mut impl FnMut(&'a str, u32, bool)) {
        match &self.kind {
            Kind::Number(_) | Kind::Str(_) | Kind::None => {}
            Kind::Name(name) => f(name, self.column, false),
            Kind::Prefix(_, x) | Kind::Attribute(x, _) => x.names(f),
            Kind::Chain(first, rest) => {
                first.names(f);
                rest.iter().for_each(|(_, _, x)| x.names(f));
            }
            Kind::Call(callee, arguments) => {
                match &callee.kind {
                    Kind::Name(name) => f(name, callee.column, true),
                    _ => callee.names(f),
                }
                arguments.positional.iter().for_each(|x| x.names(f));
                arguments.named.iter().for_each(|(_, _, x)| x.names(f));
            }
            Kind::Index(x, items) => {
                x.names(f);
                for item in items {
                    match item {
                        Item::Expr(x) => x.names(f),
                        Item::Slice(a, b, c) => [a, b, c].into_iter().flatten().for_each(|x| x.names(f)),
                        Item::Ellipsis => {}
                    }
                }
            }
            Kind::Tuple(xs) | Kind::List(xs) => xs.iter().for_each(|x| x.names(f)),
        }
    }
}
