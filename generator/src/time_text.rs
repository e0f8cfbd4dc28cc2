//! Instants as RFC 3339 text, rewritten only where the day, or less, has changed.

/// An instant as RFC 3339 with milliseconds; remembers the day, as the next one is likely in it.
#[derive(Clone, Debug)]
pub(crate) struct TimeText {
    day: i64,
    pub(crate) text: [u8; 24],
}

impl Default for TimeText {
    fn default() -> Self {
        Self {
            day: 0,
            text: *b"1970-01-01T00:00:00.000Z",
        }
    }
}

impl TimeText {
    pub(crate) fn set(&mut self, at: i64) {
        let day = at.div_euclid(86_400_000);
        if day != self.day {
            self.day = day;
            self.set_date(day);
        }
        let ms = at.rem_euclid(86_400_000) as u32;
        let seconds = ms / 1_000;
        self.two(11, seconds / 3_600);
        self.two(14, seconds / 60 % 60);
        self.two(17, seconds % 60);
        self.two(20, ms / 10 % 100);
        self.text[22] = b'0' + (ms % 10) as u8;
    }

    /// Days since 1970 to a calendar date (proleptic Gregorian), by counting 400-year eras.
    fn set_date(&mut self, day: i64) {
        let shifted = day + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = (year_of_era + era * 400 + i64::from(month <= 2)) as u32;
        self.two(0, year / 100);
        self.two(2, year % 100);
        self.two(5, month as u32);
        self.two(8, day_of_month as u32);
    }

    fn two(&mut self, at: usize, value: u32) {
        self.text[at] = b'0' + (value / 10) as u8;
        self.text[at + 1] = b'0' + (value % 10) as u8;
    }
}

/// The instant as text; for everything but the hot path.
pub(crate) fn time_text(at: i64) -> String {
    let mut time = TimeText::default();
    time.set(at);
    String::from_utf8_lossy(&time.text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_agree_with_chrono() {
        let mut time = TimeText::default();
        let mut at = -86_400_000i64 * 400;
        while at < 86_400_000 * 365 * 140 {
            time.set(at);
            let expected = chrono::DateTime::from_timestamp_millis(at)
                .expect("in range")
                .to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            assert_eq!(std::str::from_utf8(&time.text), Ok(expected.as_str()));
            at += 86_399_123 * 13;
        }
    }
}
