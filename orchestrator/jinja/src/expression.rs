//! Rewrites one tag's expressions: where Jinja means Python values, a host call takes its place.
//!
//! `[a]` becomes `__list([a])`, `{k: v}` becomes `__dict({k: v})`, and `x ~ y ~ z`, `x + y`, `x / y`, `x < y` become
//! `__concat(x, y, z)`, `__add(x, y)`, `__div(x, y)`, `__compare(x, "<", y)`; `x[a:b]` becomes `__slice(x, a, b)`, and
//! `x.items` that is not called `__member(x, "items")`; `+x` is `x`. Numbers that stand alone, and equality with a text or a constant stay as they are. Nothing else changes, so a line stays the same line.
//! The grammar is minijinja's own, operator by operator; a tag it does not understand is left as it is, for minijinja to
//! refuse with its own message.

use minijinja::machinery::{Span, Token};

use crate::methods::is_method;

mod binary;
mod cursor;

/// One insertion or replacement in the source.
#[derive(Debug)]
pub(crate) struct Edit {
    /// Byte offset in the source.
    pub(crate) at: usize,
    /// Bytes taken out.
    pub(crate) remove: usize,
    /// Text put in.
    pub(crate) text: String,
    /// Order among edits at one offset; lower first.
    pub(crate) rank: i64,
}

/// What is not understood; the tag stays as written.
#[derive(Debug)]
pub(crate) struct Odd;

type Parsed = Result<(usize, usize), Odd>;

/// Whether something is to be done where this token stands.
fn is_rewritten(token: &Token<'_>) -> bool {
    matches!(
        token,
        Token::BracketOpen
            | Token::BraceOpen
            | Token::Tilde
            | Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::FloorDiv
            | Token::Mod
            | Token::Pow
            | Token::Eq
            | Token::Ne
            | Token::Lt
            | Token::Lte
            | Token::Gt
            | Token::Gte
            | Token::Dot
            | Token::Ident("in")
    )
}

/// Tokens of one tag with a cursor and the edits found so far.
pub(crate) struct Expressions<'t, 's> {
    tokens: &'t [(Token<'s>, Span)],
    next: usize,
    edits: Vec<Edit>,
    /// `{% … %}`.
    block: bool,
}

impl<'t, 's> Expressions<'t, 's> {
    /// Edits for the expressions among `tokens` (a tag's content, keywords included).
    pub(crate) fn edits(tokens: &'t [(Token<'s>, Span)], block: bool) -> Vec<Edit> {
        let starts = |word| match tokens.first() {
            Some((Token::Ident(first), _)) => block && *first == word,
            _ => false,
        };
        let needed = starts("for") || tokens.iter().any(|(token, _)| is_rewritten(token));
        if !needed {
            return Vec::new();
        }
        let mut this = Self {
            tokens,
            next: 0,
            edits: Vec::new(),
            block,
        };
        if starts("set") {
            // what is set is no expression
            let ends =
                |(token, _): &(Token<'_>, Span)| matches!(token, Token::Assign | Token::Pipe);
            this.next = tokens.iter().position(ends).unwrap_or(tokens.len());
        }
        if starts("for") && this.looped().is_err() {
            return Vec::new();
        }
        while this.next < tokens.len() {
            let before = this.next;
            if this.starts_expression() {
                if this.if_expression().is_err() {
                    return Vec::new();
                }
            } else {
                this.next += 1;
            }
            if this.next == before {
                this.next += 1;
            }
        }
        this.edits
    }

    /// Puts `open` before and `close` behind a range. Inner wraps come first, so at one offset an
    /// outer opening must sort before, an outer closing behind what is there already.
    fn wrap(&mut self, (start, end): (usize, usize), open: &str, close: &str) {
        let order = i64::try_from(self.edits.len()).unwrap_or(i64::MAX);
        self.edits.push(Edit {
            at: end,
            remove: 0,
            text: close.into(),
            rank: order - (1 << 40),
        });
        self.edits.push(Edit {
            at: start,
            remove: 0,
            text: open.into(),
            rank: (1 << 40) - order,
        });
    }

    fn replace(&mut self, token: Span, text: &str) {
        let at = token.start_offset as usize;
        self.edits.push(Edit {
            at,
            remove: token.end_offset as usize - at,
            text: text.into(),
            // behind what opens or closes there
            rank: i64::MAX,
        });
    }

    fn unary(&mut self) -> Parsed {
        let operand = self.signed()?;
        self.filters_and_tests(operand)
    }

    fn signed(&mut self) -> Parsed {
        if matches!(self.peek(), Some(Token::Minus)) {
            let (_, span) = self.take()?;
            let number = matches!(
                self.peek(),
                Some(Token::Int(_) | Token::Int128(_) | Token::Float(_))
            );
            let operand = self.signed()?;
            let whole = (span.start_offset as usize, operand.1);
            if !number {
                self.replace(span, " ");
                self.wrap(whole, "__neg(", ")");
            }
            return Ok(whole);
        }
        // Jinja's unary plus, which minijinja lacks, changes nothing
        if matches!(self.peek(), Some(Token::Plus)) {
            let (_, span) = self.take()?;
            self.replace(span, " ");
            return self.signed();
        }
        let primary = self.primary()?;
        self.postfix(primary)
    }

    fn postfix(&mut self, mut whole: (usize, usize)) -> Parsed {
        loop {
            match self.peek() {
                Some(Token::Dot) => {
                    let (_, dot) = self.take()?;
                    let (name, span) = self.take()?;
                    whole.1 = span.end_offset as usize;
                    let called = matches!(self.peek(), Some(Token::ParenOpen));
                    if let Token::Ident(name) = name
                        && !called
                        && is_method(name)
                    {
                        self.replace(dot, ",\"");
                        self.wrap(whole, "__member(", "\")");
                    }
                }
                Some(Token::BracketOpen) => whole.1 = self.subscript(whole.0)?,
                Some(Token::ParenOpen) => whole.1 = self.arguments()?,
                _ => return Ok(whole),
            }
        }
    }

    /// `[a]`, or `[a:b:c]`, which becomes `__slice(…, a, b, c)` from `start` on; gives the end offset.
    fn subscript(&mut self, start: usize) -> Result<usize, Odd> {
        let (_, open) = self.take()?;
        let (mut colons, mut empty) = (Vec::new(), true);
        let close = loop {
            match self.peek() {
                Some(Token::BracketClose) => break self.take()?.1,
                Some(Token::Colon) => {
                    colons.push((self.take()?.1, if empty { "none," } else { "," }));
                    empty = true;
                }
                _ => {
                    self.if_expression()?;
                    empty = false;
                }
            }
        };
        let end = close.end_offset as usize;
        if !colons.is_empty() {
            self.replace(open, ",");
            for (colon, text) in colons {
                self.replace(colon, text);
            }
            self.replace(close, if empty { "none" } else { "" });
            self.wrap((start, end), "__slice(", ")");
        }
        Ok(end)
    }

    /// The `in a` of `for x in a`: what a loop goes through.
    fn looped(&mut self) -> Result<(), Odd> {
        let mut depth = 0_usize;
        loop {
            match self.take()?.0 {
                Token::ParenOpen => depth += 1,
                Token::ParenClose => depth = depth.saturating_sub(1),
                Token::Ident("in") if depth == 0 => break,
                _ => {}
            }
        }
        let mut whole = self.or()?;
        while self.skip(|token| matches!(token, Token::Comma)) {
            whole.1 = self.or()?.1;
        }
        self.wrap(whole, "__iter(", ")");
        Ok(())
    }

    /// `(a, k=b, *c, **d)`; gives the end offset.
    fn arguments(&mut self) -> Result<usize, Odd> {
        self.expect(|token| matches!(token, Token::ParenOpen))?;
        loop {
            if matches!(self.peek(), Some(Token::ParenClose)) {
                return Ok(self.take()?.1.end_offset as usize);
            }
            self.skip(|token| matches!(token, Token::Mul | Token::Pow));
            if matches!(self.peek(), Some(Token::Ident(_)))
                && matches!(self.peek_second(), Some(Token::Assign))
            {
                self.next += 2;
            }
            self.if_expression()?;
            if !matches!(self.peek(), Some(Token::ParenClose)) {
                self.expect(|token| matches!(token, Token::Comma))?;
            }
        }
    }

    fn filters_and_tests(&mut self, mut whole: (usize, usize)) -> Parsed {
        loop {
            if self.skip(|token| matches!(token, Token::Pipe)) {
                whole.1 = self.dotted_name()?;
                if matches!(self.peek(), Some(Token::ParenOpen)) {
                    whole.1 = self.arguments()?;
                }
            } else if self.keyword("is") {
                self.keyword("not");
                whole.1 = self.dotted_name()?;
                if matches!(self.peek(), Some(Token::ParenOpen)) {
                    whole.1 = self.arguments()?;
                } else if self.starts_test_argument() {
                    whole.1 = self.signed()?.1;
                }
            } else {
                return Ok(whole);
            }
        }
    }

    fn dotted_name(&mut self) -> Result<usize, Odd> {
        let mut end = self.expect(|token| matches!(token, Token::Ident(_)))?;
        while self.skip(|token| matches!(token, Token::Dot)) {
            end = self.expect(|token| matches!(token, Token::Ident(_)))?;
        }
        Ok(end.end_offset as usize)
    }

    fn primary(&mut self) -> Parsed {
        let (token, span) = self.take()?;
        let start = span.start_offset as usize;
        let mut end = span.end_offset as usize;
        match token {
            Token::Ident(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => {}
            Token::Str(_) | Token::String(_) => {
                while matches!(self.peek(), Some(Token::Str(_) | Token::String(_))) {
                    end = self.take()?.1.end_offset as usize;
                }
            }
            Token::ParenOpen => {
                end = self.sequence(|token| matches!(token, Token::ParenClose))?;
            }
            Token::BracketOpen => {
                end = self.sequence(|token| matches!(token, Token::BracketClose))?;
                self.wrap((start, end), "__list(", ")");
            }
            Token::BraceOpen => {
                loop {
                    if matches!(self.peek(), Some(Token::BraceClose)) {
                        end = self.take()?.1.end_offset as usize;
                        break;
                    }
                    self.if_expression()?;
                    self.expect(|token| matches!(token, Token::Colon))?;
                    self.if_expression()?;
                    if !matches!(self.peek(), Some(Token::BraceClose)) {
                        self.expect(|token| matches!(token, Token::Comma))?;
                    }
                }
                self.wrap((start, end), "__dict(", ")");
            }
            _ => return Err(Odd),
        }
        Ok((start, end))
    }

    fn sequence(&mut self, closes: fn(&Token<'_>) -> bool) -> Result<usize, Odd> {
        loop {
            if self.peek().is_some_and(closes) {
                return Ok(self.take()?.1.end_offset as usize);
            }
            self.if_expression()?;
            if !self.peek().is_some_and(closes) {
                self.expect(|token| matches!(token, Token::Comma))?;
            }
        }
    }
}
