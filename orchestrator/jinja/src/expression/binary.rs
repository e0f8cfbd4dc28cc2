//! Operators between two operands, rank by rank.

use minijinja::machinery::{Span, Token};

use super::{Expressions, Parsed};

fn comparison_symbol(token: &Token<'_>) -> Option<&'static str> {
    Some(match token {
        Token::Eq => "==",
        Token::Ne => "!=",
        Token::Lt => "<",
        Token::Lte => "<=",
        Token::Gt => ">",
        Token::Gte => ">=",
        _ => return None,
    })
}

impl Expressions<'_, '_> {
    fn operator(
        &mut self,
        name: &str,
        left: (usize, usize),
        operator: Span,
        right: (usize, usize),
    ) -> (usize, usize) {
        let whole = (left.0, right.1);
        self.wrap(whole, &format!("{name}("), ")");
        self.replace(operator, ",");
        whole
    }

    pub(super) fn if_expression(&mut self) -> Parsed {
        let mut whole = self.or()?;
        while self.keyword("if") {
            whole.1 = self.or()?.1;
            if self.keyword("else") {
                whole.1 = self.if_expression()?.1;
            }
        }
        Ok(whole)
    }

    pub(super) fn or(&mut self) -> Parsed {
        let mut whole = self.and()?;
        while self.keyword("or") {
            whole.1 = self.and()?.1;
        }
        Ok(whole)
    }

    fn and(&mut self) -> Parsed {
        let mut whole = self.not()?;
        while self.keyword("and") {
            whole.1 = self.not()?.1;
        }
        Ok(whole)
    }

    fn not(&mut self) -> Parsed {
        let start = self
            .tokens
            .get(self.next)
            .map(|(_, span)| span.start_offset as usize);
        if self.keyword("not") {
            let inner = self.not()?;
            return Ok((start.unwrap_or(inner.0), inner.1));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed {
        let first = self.next;
        let mut whole = self.sum()?;
        let mut plain = self.is_plain(first);
        let (mut operators, mut only_equality) = (Vec::new(), true);
        loop {
            match (self.peek(), self.peek_second()) {
                (Some(Token::Ident("not")), Some(Token::Ident("in"))) => {
                    let (not, word) = (self.take()?.1, self.take()?.1);
                    self.replace(not, "");
                    operators.push((word, "not in"));
                    only_equality = false;
                }
                (Some(Token::Ident("in")), _) => {
                    operators.push((self.take()?.1, "in"));
                    only_equality = false;
                }
                (Some(token), _) => match comparison_symbol(token) {
                    Some(symbol) => {
                        let (_, span) = self.take()?;
                        only_equality &= matches!(symbol, "==" | "!=");
                        operators.push((span, symbol));
                    }
                    None => break,
                },
                (None, _) => break,
            }
            let right = self.next;
            whole.1 = self.sum()?.1;
            plain |= self.is_plain(right);
        }
        // minijinja knows these as Python does
        let native = only_equality && plain && operators.len() == 1;
        if !native && !operators.is_empty() {
            for (span, symbol) in operators {
                self.replace(span, &format!(",\"{symbol}\","));
            }
            self.wrap(whole, "__compare(", ")");
        }
        Ok(whole)
    }

    /// Whether what was read since `first` is one text or constant.
    fn is_plain(&self, first: usize) -> bool {
        const CONSTANTS: [&str; 6] = ["none", "None", "true", "True", "false", "False"];
        let token = self.tokens.get(first).map(|(token, _)| token);
        self.next == first + 1
            && match token {
                Some(Token::Str(_) | Token::String(_)) => true,
                Some(Token::Ident(name)) => CONSTANTS.contains(name),
                _ => false,
            }
    }

    /// Operators of one rank, from left to right.
    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Parsed,
        name: fn(&Token<'_>) -> Option<&'static str>,
    ) -> Parsed {
        let mut whole = operand(self)?;
        while let Some(name) = self.peek().and_then(name) {
            let (_, span) = self.take()?;
            let right = operand(self)?;
            whole = self.operator(name, whole, span, right);
        }
        Ok(whole)
    }

    fn sum(&mut self) -> Parsed {
        self.chain(Self::concat, |token| match token {
            Token::Plus => Some("__add"),
            Token::Minus => Some("__sub"),
            _ => None,
        })
    }

    fn concat(&mut self) -> Parsed {
        let mut whole = self.product()?;
        let mut many = false;
        // one call for the whole chain: nested ones would copy its beginning again and again
        while matches!(self.peek(), Some(Token::Tilde)) {
            let (_, span) = self.take()?;
            self.replace(span, ",");
            whole.1 = self.product()?.1;
            many = true;
        }
        if many {
            self.wrap(whole, "__concat(", ")");
        }
        Ok(whole)
    }

    fn product(&mut self) -> Parsed {
        self.chain(Self::power, |token| match token {
            Token::Mul => Some("__mul"),
            Token::Div => Some("__div"),
            Token::FloorDiv => Some("__floordiv"),
            Token::Mod => Some("__mod"),
            _ => None,
        })
    }

    fn power(&mut self) -> Parsed {
        self.chain(Self::unary, |token| {
            matches!(token, Token::Pow).then_some("__pow")
        })
    }
}
