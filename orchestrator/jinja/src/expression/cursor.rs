//! Walking over a tag's tokens.

use minijinja::machinery::{Span, Token};

use super::{Expressions, Odd};

impl<'t, 's> Expressions<'t, 's> {
    pub(super) fn peek(&self) -> Option<&Token<'s>> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    pub(super) fn peek_second(&self) -> Option<&Token<'s>> {
        self.tokens.get(self.next + 1).map(|(token, _)| token)
    }

    pub(super) fn take(&mut self) -> Result<(&'t Token<'s>, Span), Odd> {
        let (token, span) = self.tokens.get(self.next).ok_or(Odd)?;
        self.next += 1;
        Ok((token, *span))
    }

    pub(super) fn skip(&mut self, wanted: fn(&Token<'_>) -> bool) -> bool {
        let found = self.peek().is_some_and(wanted);
        self.next += usize::from(found);
        found
    }

    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Ident(name)) if *name == word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, wanted: fn(&Token<'_>) -> bool) -> Result<Span, Odd> {
        let (token, span) = self.take()?;
        if wanted(token) { Ok(span) } else { Err(Odd) }
    }

    pub(super) fn starts_expression(&self) -> bool {
        const KEYWORDS: [&str; 5] = ["if", "else", "in", "for", "elif"];
        // words of a tag where it begins, names elsewhere: `set([1]) ~ 'a'`
        const FIRST: [&str; 5] = ["set", "do", "call", "macro", "with"];
        match self.peek() {
            Some(Token::Ident(name)) if FIRST.contains(name) => self.next > 0 || !self.block,
            Some(Token::Ident(name)) => !KEYWORDS.contains(name),
            Some(
                Token::Str(_)
                | Token::String(_)
                | Token::Int(_)
                | Token::Int128(_)
                | Token::Float(_)
                | Token::Minus
                | Token::Plus
                | Token::BracketOpen
                | Token::BraceOpen
                | Token::ParenOpen,
            ) => true,
            _ => false,
        }
    }

    pub(super) fn starts_test_argument(&self) -> bool {
        match self.peek() {
            Some(Token::Ident(name)) => !["and", "or", "else", "is", "if", "not"].contains(name),
            Some(
                Token::Str(_)
                | Token::String(_)
                | Token::Int(_)
                | Token::Int128(_)
                | Token::Float(_)
                | Token::Minus
                | Token::BracketOpen
                | Token::BraceOpen,
            ) => true,
            _ => false,
        }
    }
}
