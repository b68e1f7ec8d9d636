//! Tokens to a syntax tree: precedence climbing (Pratt 1973) with Python's precedence.

use super::ast::{Arguments, Expr, Infix, Item, Kind, MAX_DEPTH, Prefix};
use super::error::{FormulaError, fail, hint};
use super::lexer::{Token, tokens};
use super::number::Number;
use crate::names::shorten;

/// The syntax tree of a formula.
///
/// # Errors
/// The column and what is wrong there.
pub(crate) fn parse(text: &str) -> Result<Expr, FormulaError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    if parser.peek() == &Token::End {
        return fail(1, "the formula is empty");
    }
    let expr = parser.expr(1)?;
    match parser.peek() {
        Token::End => Ok(expr),
        Token::Op(",") => fail(parser.column(), "a tuple needs parentheses: `(a, b)`"),
        _ => Err(parser.unexpected("after a whole expression")),
    }
}

/// A function's head, as in `smooth(a, b)`: its name and those of its parameters.
///
/// # Errors
/// The column and what is wrong there.
pub(crate) fn parse_head(text: &str) -> Result<(String, Vec<(String, u32)>), FormulaError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    const FORM: &str = "a function's head looks like `smooth(a, b)`";
    let (Token::Name(name), _) = parser.next() else { return fail(1, FORM) };
    if !parser.eat("(") {
        return fail(parser.column(), FORM);
    }
    let mut parameters = vec![];
    while !parser.eat(")") {
        match parser.next() {
            (Token::Name(parameter), column) => parameters.push((parameter, column)),
            (_, column) => return fail(column, FORM),
        }
        if !parser.eat(",") && parser.peek() != &Token::Op(")") {
            return fail(parser.column(), FORM);
        }
    }
    if parser.peek() != &Token::End {
        return fail(parser.column(), FORM);
    }
    Ok((name, parameters))
}

struct Parser {
    tokens: Vec<(Token, u32)>,
    at: usize,
    depth: u16,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |t| &t.0)
    }

    fn column(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |t| t.1)
    }

    fn next(&mut self) -> (Token, u32) {
        let next = (self.peek().clone(), self.column());
        self.at += 1;
        next
    }

    /// Skips an operator if it is next.
    fn eat(&mut self, op: &str) -> bool {
        let found = matches!(self.peek(), Token::Op(o) if *o == op);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, op: &'static str, opened: (&str, u32)) -> Result<(), FormulaError> {
        if self.eat(op) {
            return Ok(());
        }
        if self.peek() == &Token::End {
            return fail(opened.1, format!("`{}` is not closed by `{op}`", opened.0));
        }
        Err(self.unexpected(&format!("where `{op}` or `,` is expected")))
    }

    /// What to say of the next token in a place where it cannot stand.
    fn unexpected(&self, place: &str) -> FormulaError {
        let message = match self.peek() {
            Token::End => "the formula ends too early".to_owned(),
            Token::Op("=") => {
                "`=` compares nothing and assigns nothing here; to compare, write `==`".to_owned()
            }
            Token::Op(op) => format!("`{op}` cannot stand {place}"),
            Token::Number(_) => format!("a number cannot stand {place}"),
            Token::Str(_) => format!("a string cannot stand {place}"),
            Token::Name(word) => match hint(word) {
                Some(hint) => hint,
                None => format!("`{}` cannot stand {place}", shorten(word)),
            },
        };
        FormulaError::new(self.column(), message)
    }

    /// Runs a rule one level deeper.
    fn nested<T>(
        &mut self,
        rule: impl FnOnce(&mut Parser) -> Result<T, FormulaError>,
    ) -> Result<T, FormulaError> {
        if self.depth == MAX_DEPTH {
            return fail(
                self.column(),
                format!("the formula is nested deeper than {MAX_DEPTH}; name its parts"),
            );
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    /// A node over `parts`, the deepest of which has depth `below`.
    fn node(&self, kind: Kind, column: u32, below: u16) -> Result<Expr, FormulaError> {
        if below >= MAX_DEPTH {
            return fail(column, format!("the formula is nested deeper than {MAX_DEPTH}; name its parts"));
        }
        Ok(Expr { kind, column, depth: below + 1 })
    }

    /// Operators that bind at least as tightly as `level`.
    fn expr(&mut self, level: u8) -> Result<Expr, FormulaError> {
        let mut left = self.nested(Parser::prefix)?;
        loop {
            let (infix, found) = match self.peek() {
                Token::Op(op) => match Infix::parse(op) {
                    Some((infix, found)) if found >= level => (infix, found),
                    _ => return Ok(left),
                },
                _ => return Ok(left),
            };
            let mut rest: Vec<(Infix, u32, Expr)> = vec![];
            let mut below = left.depth;
            let (mut infix, first) = (infix, self.column());
            loop {
                let column = self.column();
                if found == 1 && !rest.is_empty() {
                    return fail(column, "comparisons do not chain; write `(a < b) & (b < c)`");
                }
                self.at += 1;
                let right = self.expr(found + 1)?;
                below = below.max(right.depth);
                rest.push((infix, column, right));
                match self.peek() {
                    Token::Op(op) => match Infix::parse(op) {
                        Some((next, same)) if same == found => infix = next,
                        _ => break,
                    },
                    _ => break,
                }
            }
            left = self.node(Kind::Chain(Box::new(left), rest), first, below)?;
        }
    }

    /// `-x`, `+x`, `~x`; they bind less tightly than `**` to their right.
    fn prefix(&mut self) -> Result<Expr, FormulaError> {
        let column = self.column();
        let prefix = match self.peek() {
            Token::Op("+") => Prefix::Plus,
            Token::Op("-") => Prefix::Minus,
            Token::Op("~") => Prefix::Invert,
            _ => return self.power(),
        };
        self.at += 1;
        let operand = self.nested(Parser::prefix)?;
        let below = operand.depth;
        self.node(Kind::Prefix(prefix, Box::new(operand)), column, below)
    }

    /// `x ** y`, from right to left.
    fn power(&mut self) -> Result<Expr, FormulaError> {
        let base = self.postfix()?;
        let column = self.column();
        if !self.eat("**") {
            return Ok(base);
        }
        let exponent = self.nested(Parser::prefix)?;
        let below = base.depth.max(exponent.depth);
        self.node(Kind::Chain(Box::new(base), vec![(Infix::Power, column, exponent)]), column, below)
    }

    /// Calls, indices and attributes.
    fn postfix(&mut self) -> Result<Expr, FormulaError> {
        let mut expr = self.primary()?;
        loop {
            let column = self.column();
            if self.eat(".") {
                let column = self.column();
                let (Token::Name(name), _) = self.next() else {
                    return fail(column, "after `.` stands the name of a method or attribute");
                };
                let below = expr.depth;
                expr = self.node(Kind::Attribute(Box::new(expr), name), column, below)?;
            } else if self.eat("(") {
                let arguments = self.arguments(column)?;
                let deepest = arguments.positional.iter().chain(arguments.named.iter().map(|n| &n.2));
                let below = deepest.map(|x| x.depth).fold(expr.depth, u16::max);
                let column = expr.column;
                expr = self.node(Kind::Call(Box::new(expr), arguments), column, below)?;
            } else if self.eat("[") {
                let items = self.items(column)?;
                let mut below = expr.depth;
                for item in &items {
                    below = match item {
                        Item::Expr(x) => below.max(x.depth),
                        Item::Slice(a, b, c) => {
                            [a, b, c].into_iter().flatten().map(|x| x.depth).fold(below, u16::max)
                        }
                        Item::Ellipsis => below,
                    };
                }
                expr = self.node(Kind::Index(Box::new(expr), items), column, below)?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn arguments(&mut self, opened: u32) -> Result<Arguments, FormulaError> {
        let mut arguments = Arguments::default();
        while !self.eat(")") {
            let column = self.column();
            let named = match (self.peek(), self.tokens.get(self.at + 1)) {
                (Token::Name(name), Some((Token::Op("="), _))) => Some(name.clone()),
                _ => None,
            };
            if let Some(name) = named {
                self.at += 2;
                if arguments.named.iter().any(|n| n.0 == name) {
                    return fail(column, format!("`{}` is given twice", shorten(&name)));
                }
                let value = self.expr(1)?;
                arguments.named.push((name, column, value));
            } else if matches!(self.peek(), Token::Op("*" | "**")) {
                return fail(column, "arguments are not unpacked with `*`; write them out");
            } else if !arguments.named.is_empty() {
                return fail(column, "an argument without a name cannot follow one with a name");
            } else {
                arguments.positional.push(self.expr(1)?);
            }
            if !self.eat(",") && self.peek() != &Token::Op(")") {
                self.expect(")", ("(", opened))?;
            }
        }
        Ok(arguments)
    }

    fn items(&mut self, opened: u32) -> Result<Vec<Item>, FormulaError> {
        let mut items = vec![];
        while !self.eat("]") {
            items.push(self.item()?);
            if !self.eat(",") && self.peek() != &Token::Op("]") {
                self.expect("]", ("[", opened))?;
            }
        }
        if items.is_empty() {
            return fail(opened, "an index is missing between `[` and `]`");
        }
        Ok(items)
    }

    /// `i`, `…`, or `start:stop:step` with any of them left out.
    fn item(&mut self) -> Result<Item, FormulaError> {
        if self.eat("...") {
            return Ok(Item::Ellipsis);
        }
        let start = self.bound()?;
        if !self.eat(":") {
            return match start {
                Some(x) => Ok(Item::Expr(x)),
                None => Err(self.unexpected("in an index")),
            };
        }
        let stop = self.bound()?;
        let step = if self.eat(":") { self.bound()? } else { None };
        Ok(Item::Slice(start, stop, step))
    }

    fn bound(&mut self) -> Result<Option<Expr>, FormulaError> {
        match self.peek() {
            Token::Op(":" | "," | "]") => Ok(None),
            _ => self.expr(1).map(Some),
        }
    }

    fn primary(&mut self) -> Result<Expr, FormulaError> {
        let column = self.column();
        let kind = match self.peek().clone() {
            Token::Number(number) => Kind::Number(number),
            Token::Str(text) => Kind::Str(text),
            Token::Name(word) => match word.as_str() {
                "True" | "true" => Kind::Number(Number::Bool(true)),
                "False" | "false" => Kind::Number(Number::Bool(false)),
                "None" | "null" => Kind::None,
                _ if hint(&word).is_some() => return Err(self.unexpected("")),
                _ => Kind::Name(word),
            },
            Token::Op("(") => {
                self.at += 1;
                return self.parenthesis(column);
            }
            Token::Op("[") => {
                self.at += 1;
                let (list, _) = self.list("]", ("[", column))?;
                let below = list.iter().map(|x| x.depth).max().unwrap_or(0);
                return self.node(Kind::List(list), column, below);
            }
            _ => return Err(self.unexpected("where a value is expected")),
        };
        self.at += 1;
        self.node(kind, column, 0)
    }

    fn parenthesis(&mut self, opened: u32) -> Result<Expr, FormulaError> {
        let (mut list, comma) = self.list(")", ("(", opened))?;
        match list.pop() {
            Some(only) if list.is_empty() && !comma => Ok(only),
            last => {
                list.extend(last);
                let below = list.iter().map(|x| x.depth).max().unwrap_or(0);
                self.node(Kind::Tuple(list), opened, below)
            }
        }
    }

    /// Values up to a bracket, and whether the last thing before it was a comma.
    fn list(&mut self, close: &'static str, opened: (&str, u32)) -> Result<(Vec<Expr>, bool), FormulaError> {
        let mut list = vec![];
        let mut comma = false;
        while !self.eat(close) {
            list.push(self.expr(1)?);
            comma = self.eat(",");
            if !comma && self.peek() != &Token::Op(close) {
                self.expect(close, opened)?;
            }
        }
        Ok((list, comma))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree in prefix notation.
    fn show(expr: &Expr) -> String {
        let list = |xs: &[Expr]| xs.iter().map(show).collect::<Vec<_>>().join(" ");
        let part = |x: &Option<Expr>| x.as_ref().map_or("_".to_owned(), show);
        match &expr.kind {
            Kind::Number(Number::Int(i)) => i.to_string(),
            Kind::Number(n) => format!("{n:?}"),
            Kind::Str(s) => format!("{s:?}"),
            Kind::None => "None".into(),
            Kind::Name(n) => n.clone(),
            Kind::Prefix(p, x) => format!("({p:?} {})", show(x)),
            Kind::Chain(first, rest) => rest.iter().fold(show(first), |left, (op, _, right)| {
                format!("({} {left} {})", op.symbol(), show(right))
            }),
            Kind::Attribute(x, name) => format!("({}.{name})", show(x)),
            Kind::Call(f, a) => {
                let named: Vec<String> = a.named.iter().map(|(n, _, x)| format!("{n}={}", show(x))).collect();
                format!("(call {} {}{})", show(f), list(&a.positional), named.join(" "))
            }
            Kind::Index(x, items) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|i| match i {
                        Item::Expr(x) => show(x),
                        Item::Slice(a, b, c) => format!("{}:{}:{}", part(a), part(b), part(c)),
                        Item::Ellipsis => "...".into(),
                    })
                    .collect();
                format!("(index {} {})", show(x), items.join(" "))
            }
            Kind::Tuple(xs) => format!("(tuple {})", list(xs)),
            Kind::List(xs) => format!("[{}]", list(xs)),
        }
    }

    #[test]
    fn precedence_is_pythons() {
        for (text, tree) in [
            ("a + b * c", "(+ a (* b c))"),
            ("a - b - c", "(- (- a b) c)"),
            ("a * b + c / d", "(+ (* a b) (/ c d))"),
            ("-a ** 2", "(Minus (** a 2))"),
            ("2 ** -1", "(** 2 (Minus 1))"),
            ("a ** b ** c", "(** a (** b c))"),
            ("a | b ^ c & d << e + f", "(| a (^ b (& c (<< d (+ e f)))))"),
            ("a & b == c", "(== (& a b) c)"),
            ("a @ b.T", "(@ a (b.T))"),
            ("~a & b", "(& (Invert a) b)"),
            ("(a > 1) & (b <= 2)", "(& (> a 1) (<= b 2))"),
            ("a // b % c", "(% (// a b) c)"),
            ("x[::2, -100:]", "(index x _:_:2 (Minus 100):_:_)"),
            ("x[..., None, [1, 5], i, 1:2]", "(index x ... None [1 5] i 1:2:_)"),
            ("sum(x, axis=(0, 1))", "(call sum xaxis=(tuple 0 1))"),
            ("x.mean(axis=0,)", "(call (x.mean) axis=0)"),
            ("()", "(tuple )"),
            ("(a,)", "(tuple a)"),
            ("((a))", "a"),
            ("[[1, 2], [3]]", "[[1 2] [3]]"),
            ("f(1)(2)[3].T", "((index (call (call f 1) 2) 3).T)"),
            ("-x.T", "(Minus (x.T))"),
        ] {
            assert_eq!(parse(text).map(|e| show(&e)).unwrap_or_else(|e| format!("{e:?}")), tree, "{text}");
        }
    }

    #[test]
    fn errors_point_at_their_column() {
        for (text, column, part) in [
            ("", 1, "empty"),
            ("a +", 4, "too early"),
            ("a + * b", 5, "`*` cannot stand"),
            ("(a + b", 1, "not closed"),
            ("f(a, b", 2, "not closed"),
            ("a b", 3, "cannot stand after a whole expression"),
            ("a, b", 2, "parentheses"),
            ("a < b < c", 7, "(a < b) & (b < c)"),
            ("a and b", 3, "&"),
            ("not a", 1, "~a"),
            ("a = b", 3, "=="),
            ("a if c else b", 3, "where"),
            ("np.exp(x)", 1, "stand alone"),
            ("f(a=1, 2)", 8, "cannot follow"),
            ("f(a=1, a=2)", 8, "twice"),
            ("f(*a)", 3, "unpacked"),
            ("x[]", 2, "missing"),
            ("x.2", 2, "cannot stand"),
            ("x.(", 3, "method"),
            ("a; b", 2, "one expression"),
            ("(a b)", 4, "cannot stand"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.column, column, "{text}: {error:?}");
            assert!(error.message.contains(part), "{text}: {error:?}");
        }
    }

    #[test]
    fn depth_is_bounded_and_length_is_not() {
        let nested = |n: usize| "(".repeat(n) + "x" + &")".repeat(n);
        assert!(parse(&nested(250)).is_ok());
        for deep in [
            nested(257),
            nested(400_000),
            "-".repeat(400_000) + "x",
            "[".repeat(400_000),
            "f(".repeat(300_000),
            "x[".repeat(300_000),
            "2 **".repeat(100_000),
            "x".to_owned() + &".T".repeat(300_000),
            "x".to_owned() + &"[0]".repeat(300_000),
        ] {
            let error = parse(&deep).unwrap_err();
            assert!(error.message.contains("nested deeper than 256"), "{error:?}");
        }
        let sum = "x + ".repeat(100_000) + "x";
        assert_eq!(parse(&sum).unwrap().depth, 2);
        assert!(parse(&"x".repeat(2 << 20)).unwrap_err().message.contains("bytes"));
    }

    #[test]
    fn heads_of_functions() {
        let (name, parameters) = parse_head("smooth(a, b)").unwrap();
        assert_eq!((name.as_str(), parameters.len()), ("smooth", 2));
        for bad in ["smooth", "smooth(", "smooth(a b)", "(a)", "f(1)", "f(a) x", "f(,)"] {
            assert!(parse_head(bad).is_err(), "{bad}");
        }
    }
}
