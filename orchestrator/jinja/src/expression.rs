//! Rewrites one tag's expressions: where Jinja means Python values, a host call takes its place.
//!
//! `[a]` becomes `__list([a])`, `{k: v}` becomes `__dict({k: v})`, and `x ~ y ~ z`, `x + y`, `x / y`, `x < y` become
//! `__concat(x, y, z)`, `__add(x, y)`, `__div(x, y)`, `__compare(x, "<", y)`; `+x` is `x`. Numbers that stand alone,
//! `in`, and equality with a text or a constant stay as they are. Nothing else changes, so a line stays the same line.
//! The grammar is minijinja's own, operator by operator; a tag it does not understand is left as it is, for minijinja to
//! refuse with its own message.

use minijinja::machinery::{Span, Token};

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
        let needed = tokens.iter().any(|(token, _)| {
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
            )
        });
        if !needed {
            return Vec::new();
        }
        let mut this = Self {
            tokens,
            next: 0,
            edits: Vec::new(),
            block,
        };
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
                    self.next += 1;
                    whole.1 = self.take()?.1.end_offset as usize;
                }
                Some(Token::BracketOpen) => {
                    self.next += 1;
                    loop {
                        if matches!(self.peek(), Some(Token::BracketClose)) {
                            whole.1 = self.take()?.1.end_offset as usize;
                            break;
                        }
                        if !self.skip(|token| matches!(token, Token::Colon)) {
                            self.if_expression()?;
                        }
                    }
                }
                Some(Token::ParenOpen) => whole.1 = self.arguments()?,
                _ => return Ok(whole),
            }
        }
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
